from pathlib import Path

POSTGRES_VERSIONS: dict[int, Path]
TARGET_POSTGRES_VERSION: int

def ensure_user_exists(username: str) -> object: ...
def ensure_folder_permissions(path: Path, flag: int) -> None: ...
