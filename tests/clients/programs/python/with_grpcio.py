"""Calls the Echo service at TARGET with grpcio: SHAPE is unary, both-ways or client-stream (which policy refuses)."""
import json
import os
import time

import echo_pb2
import echo_pb2_grpc
import grpc

target, body = os.environ["TARGET"], os.environ["BODY"]
if os.environ["TLS"] == "1":
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials())
else:
    channel = grpc.insecure_channel(target)
stub = echo_pb2_grpc.EchoStub(channel)


def requests(sent):
    """Waits for each answer before the next request: no buffering in between may hold it back."""
    for index in range(3):
        while len(sent) < index:
            time.sleep(0.01)
        yield echo_pb2.EchoRequest(text=f"{body} {index}")


try:
    if os.environ["SHAPE"] == "unary":
        answer, call = stub.Unary.with_call(
            echo_pb2.EchoRequest(text=body), timeout=20, metadata=[("x-sent", "metadata")]
        )
        metadata = dict(call.initial_metadata())
        result = {"code": "OK", "texts": [answer.text], "sent_back": metadata.get("x-sent-back")}
    elif os.environ["SHAPE"] == "both-ways":
        texts = []
        for answer in stub.BothWays(requests(texts), timeout=20):
            texts.append(answer.text)
        result = {"code": "OK", "texts": texts}
    elif os.environ["SHAPE"] == "failing":
        stub.Unary(echo_pb2.EchoRequest(text=body, fail_with=9), timeout=20)
        result = {"code": "OK", "texts": []}
    else:
        answer = stub.ClientStream(iter([echo_pb2.EchoRequest(text=body)]), timeout=20)
        result = {"code": "OK", "texts": [answer.text]}
except grpc.RpcError as error:
    metadata = dict(error.trailing_metadata() or ())
    metadata.update(error.initial_metadata() or ())
    result = {
        "code": error.code().name,
        "message": error.details(),
        "refused": metadata.get("creto-refused"),
        "failure": metadata.get("x-failure"),
    }
print(json.dumps(result))
