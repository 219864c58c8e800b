"""Generates creto/v1 from metering.proto; with --check it only says whether what is there is the same."""

from __future__ import annotations

import pathlib
import sys
import tempfile

from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parents[1] / "proto" / "api" / "proto"
FILES = ("metering_pb2.py", "metering_pb2.pyi", "metering_pb2_grpc.py")


def generate(into: pathlib.Path) -> None:
    arguments = [
        "protoc",
        f"--proto_path={PROTO}",
        f"--python_out={into}",
        f"--pyi_out={into}",
        f"--grpc_python_out={into}",
        "creto/v1/metering.proto",
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")


def main() -> int:
    if "--check" not in sys.argv[1:]:
        generate(HERE / "src")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder)
        generate(made)
        old = [
            name
            for name in FILES
            if (made / "creto/v1" / name).read_bytes() != (HERE / "src/creto/v1" / name).read_bytes()
        ]
    if old:
        print(f"not what metering.proto says: {', '.join(old)}; run generate.py", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    raise SystemExit(main())
