"""Writes the smallest wheel that pip takes to the folder WHERE."""
import base64
import hashlib
import os
import zipfile

name = "creto_fixture-1.0"
files = {
    "creto_fixture.py": "ANSWER = 42\n",
    f"{name}.dist-info/METADATA": "Metadata-Version: 2.1\nName: creto-fixture\nVersion: 1.0\n",
    f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: creto\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
record = ""
with zipfile.ZipFile(os.path.join(os.environ["WHERE"], f"{name}-py3-none-any.whl"), "w") as wheel:
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
        wheel.writestr(path, text)
    wheel.writestr(f"{name}.dist-info/RECORD", record + f"{name}.dist-info/RECORD,,\n")
