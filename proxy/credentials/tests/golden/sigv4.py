"""Makes the golden files for AWS Signature Version 4.

    pip install botocore
    python sigv4.py <folder `v4` of the AWS signing test suite>

The suite is published by AWS (Apache-2.0) with its SDKs, for example in the Rust crate aws-sigv4. Left out of it are
requests that cannot go over a wire as they are written there: spaces in a target, folded header lines, and a token that
is added after signing. The other requests are signed by botocore, some of them made by its own clients.
"""

import base64
import datetime
import json
import pathlib
import sys

import botocore.auth
import botocore.session
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 11, 21, 7, 30, 5, tzinfo=datetime.timezone.utc)
KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////token+with/odd=="
LEFT_OUT = ("get-space", "get-header-value-multiline", "post-sts-header-after")


def suite(folder):
    for case in sorted(folder.iterdir()):
        if case.name.startswith(LEFT_OUT) or not (case / "context.json").exists():
            continue
        read = lambda name: (case / name).read_bytes().decode()
        context = json.loads(read("context.json"))
        head, _, body = read("request.txt").partition("\n\n")
        line, *headers = head.split("\n")
        method, _, rest = line.partition(" ")
        yield {
            "name": case.name,
            "normalize": context["normalize"],
            "sign_body": context["sign_body"],
            "key": [context["credentials"]["access_key_id"], context["credentials"]["secret_access_key"]],
            "token": context["credentials"].get("token"),
            "region": context["region"],
            "service": context["service"],
            "timestamp": context["timestamp"],
            "method": method,
            "target": rest.rpartition(" ")[0],
            "headers": [header.split(":", 1) for header in headers if header],
            "body": body,
            "canonical_request": read("header-canonical-request.txt"),
            "string_to_sign": read("header-string-to-sign.txt"),
            "signature": read("header-signature.txt").strip(),
        }


def signed(name, service, region, token, method, url, headers, body, signature):
    return {
        "name": name,
        "service": service,
        "region": region,
        "token": token,
        "method": method,
        "url": url,
        "headers": headers,
        "body": base64.b64encode(body or b"").decode(),
        "authorization": signature,
    }


def plain():
    """Requests that have no other headers than those which Creto signs."""
    json_type = {"Content-Type": "application/json"}
    form_type = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    bedrock = "https://bedrock-runtime.us-east-1.amazonaws.com/model/"
    s3 = "https://bucket.s3.eu-west-1.amazonaws.com"
    cases = [
        ("converse", "bedrock", "POST", bedrock + "anthropic.claude-v1%3A0/converse", json_type, b'{"messages":[]}'),
        ("a colon as it is", "bedrock", "POST", bedrock + "anthropic.claude-v1:0/invoke", json_type, b"{}"),
        ("an arn", "bedrock", "POST", bedrock + "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ap%2Fx/invoke", json_type, b"{}"),
        ("a user agent is not signed", "bedrock", "GET", bedrock + "x", {"User-Agent": "x/1"}, b""),
        ("a form", "sts", "POST", "https://sts.amazonaws.com/", form_type, b"Action=GetCallerIdentity&Version=2011-06-15"),
        ("a target header", "dynamodb", "POST", "https://dynamodb.eu-west-1.amazonaws.com/",
         {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"{}"),
        ("spaces in a header", "sns", "POST", "https://sns.eu-west-1.amazonaws.com/", {"X-Amz-Note": "  a   b  "}, b""),
        ("a port", "bedrock", "GET", "https://localhost:8443/foundation-models?byProvider=anthropic", {}, b""),
        ("a query", "lambda", "GET", "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/?b=%20x&a=2&a=1&c", {}, b""),
        ("dots and slashes", "lambda", "GET", "https://lambda.eu-west-1.amazonaws.com/a/../b//c/./d", {}, b""),
        ("binary", "sagemaker", "POST", "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/e/invocations",
         {"Content-Type": "application/octet-stream"}, bytes(range(256))),
        ("s3 get", "s3", "GET", s3 + "/photos/2026/a%20b%2Bc~d.jpg?versionId=x%2Fy&partNumber=1", {}, b""),
        ("s3 put", "s3", "PUT", s3 + "/k", {"Content-Type": "text/plain", "x-amz-meta-owner": "me"}, b"hello"),
        ("s3 dots stay", "s3", "GET", s3 + "/a/./b//../c", {}, b""),
        ("s3 list", "s3", "GET", s3 + "/?list-type=2&prefix=a%2F&delimiter=%2F&acl", {}, b""),
        ("s3 slash in a key", "s3", "DELETE", s3 + "/a%2Fb", {}, b""),
    ]
    for name, service, method, url, headers, body in cases:
        for token in (None, TOKEN):
            request = AWSRequest(method, url, headers=dict(headers), data=body)
            auth = S3SigV4Auth if service == "s3" else SigV4Auth
            auth(Credentials(*KEY, token), service, "eu-west-1").add_auth(request)
            yield signed(name, service, "eu-west-1", token, method, url, list(headers.items()), body,
                         request.headers["Authorization"])


def clients():
    """Requests as botocore's own clients send them, with all their headers."""
    sent = []

    def catch(request, **_):
        sent.append(request)
        return AWSResponse(request.url, 200, {}, type("Raw", (), {"stream": lambda *a, **k: iter([b"{}"])})())

    def call(service, region, token, operation, **arguments):
        session = botocore.session.Session()
        session.set_credentials(*KEY, token)
        client = session.create_client(service, region_name=region)
        client.meta.events.register("before-send", catch)
        try:
            getattr(client, operation)(**arguments)
        except Exception as error:  # the empty answer fits no operation
            print("answer of", service, operation, "not read:", type(error).__name__)
        request = sent[-1]
        headers = [(name, value if isinstance(value, str) else value.decode())
                   for name, value in request.headers.items() if name != "User-Agent"]
        authorization = dict(headers)["Authorization"]
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode() \
            if isinstance(request.body, (str, type(None))) else request.body.read()
        signing_name = authorization.split("/")[3]
        return signed(f"{service} {operation}", signing_name, region, token, request.method, request.url,
                      headers, body, authorization)

    message = [{"role": "user", "content": [{"text": "Grüße"}]}]
    model = "anthropic.claude-sonnet-4-20250514-v1:0"
    yield call("bedrock-runtime", "us-east-1", None, "converse", modelId=model, messages=message)
    yield call("bedrock-runtime", "us-east-1", TOKEN, "converse_stream", modelId=model, messages=message)
    yield call("bedrock-runtime", "eu-west-1", TOKEN, "invoke_model", modelId=model, body=b'{"a":1}')
    yield call("bedrock-runtime", "eu-west-1", None, "invoke_model", body=b"{}",
               modelId="arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.x-v1:0")
    yield call("bedrock", "us-east-1", None, "list_foundation_models", byProvider="anthropic")
    yield call("dynamodb", "us-east-1", TOKEN, "list_tables")
    yield call("sts", "us-east-1", None, "get_caller_identity")
    yield call("sqs", "us-east-1", None, "list_queues", QueueNamePrefix="a b")
    yield call("lambda", "us-east-1", TOKEN, "invoke", FunctionName="a:b", Payload=b"{}")
    yield call("s3", "eu-central-1", None, "get_object", Bucket="bucket", Key="a b/c+d/(é).txt", VersionId="v/1")
    yield call("s3", "eu-central-1", TOKEN, "list_objects_v2", Bucket="bucket", Prefix="a/ b", Delimiter="/")
    yield call("s3", "eu-central-1", None, "put_object", Bucket="bucket", Key="k", Body=b"hello",
               ChecksumAlgorithm="SHA256")


def write(name, cases):
    cases = list(cases)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (HERE / name).write_text(f"[\n{lines}\n]\n")
    print(name, len(cases))


if __name__ == "__main__":
    botocore.auth.get_current_datetime = lambda *_, **__: NOW.replace(tzinfo=None)
    write("sigv4-suite.json", suite(pathlib.Path(sys.argv[1])))
    write("sigv4-botocore.json", plain())
    write("sigv4-clients.json", clients())
