"""Volcengine Ark and BytePlus ModelArk: a client of our own for the vendor's asynchronous video tasks."""
