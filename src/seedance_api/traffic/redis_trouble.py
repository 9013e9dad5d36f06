"""Why Redis cannot be used, in words that hold neither its address nor its password."""

from redis import exceptions

from seedance_api.foundation import unreachable


def reason_of(error: BaseException) -> str:
    """Why a question to Redis failed."""
    match error:
        case exceptions.AuthenticationError() | exceptions.AuthenticationWrongNumberOfArgsError():
            return "the password is wrong or missing, or there is no such user"
        case exceptions.BusyLoadingError():
            return "it is starting up, and reads its data"
        case exceptions.ReadOnlyError():
            return "it is a replica, which takes no writes"
        case exceptions.OutOfMemoryError():
            return "its memory is full"
        case exceptions.NoPermissionError():
            return "its user may not run scripts, or not use these keys"
        case exceptions.MovedError() | exceptions.AskError():
            return "it is a Redis Cluster, and must be one server"
        case TimeoutError() | exceptions.TimeoutError():
            return "there was no answer in time"
        case FileNotFoundError():
            return "there is no such socket, or no such file of certificates"
        case OSError():
            return unreachable.reason_of(error)  # a certificate that is refused is a ValueError too
        case exceptions.InvalidResponse() | ValueError() | TypeError():
            return "what answers there is no Redis"
        case _:
            return _of_client(error)


def _of_client(error: BaseException) -> str:
    if type(error) is exceptions.ConnectionError:  # redis-py puts it around many others
        inner = error.__cause__ or error.__context__
        return reason_of(inner) if isinstance(inner, OSError | exceptions.RedisError) else "the connection was closed"
    if isinstance(error, exceptions.ResponseError) and str(error).startswith("MISCONF"):
        return "it cannot save to its disk, and takes no writes"
    return type(error).__name__
