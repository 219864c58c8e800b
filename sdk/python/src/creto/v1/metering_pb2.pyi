from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IngestFrame(_message.Message):
    __slots__ = ("namespace", "producer", "epoch", "first_sequence", "count", "strings", "event_type", "agent", "customer", "subscription", "delegation", "at_us", "logical", "properties")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    STRINGS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DELEGATION_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    LOGICAL_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    producer: str
    epoch: int
    first_sequence: int
    count: int
    strings: _containers.RepeatedScalarFieldContainer[str]
    event_type: _containers.RepeatedScalarFieldContainer[int]
    agent: _containers.RepeatedScalarFieldContainer[int]
    customer: _containers.RepeatedScalarFieldContainer[int]
    subscription: _containers.RepeatedScalarFieldContainer[int]
    delegation: _containers.RepeatedScalarFieldContainer[int]
    at_us: _containers.RepeatedScalarFieldContainer[int]
    logical: _containers.RepeatedScalarFieldContainer[int]
    properties: _containers.RepeatedCompositeFieldContainer[PropertyColumn]
    def __init__(self, namespace: _Optional[str] = ..., producer: _Optional[str] = ..., epoch: _Optional[int] = ..., first_sequence: _Optional[int] = ..., count: _Optional[int] = ..., strings: _Optional[_Iterable[str]] = ..., event_type: _Optional[_Iterable[int]] = ..., agent: _Optional[_Iterable[int]] = ..., customer: _Optional[_Iterable[int]] = ..., subscription: _Optional[_Iterable[int]] = ..., delegation: _Optional[_Iterable[int]] = ..., at_us: _Optional[_Iterable[int]] = ..., logical: _Optional[_Iterable[int]] = ..., properties: _Optional[_Iterable[_Union[PropertyColumn, _Mapping]]] = ...) -> None: ...

class PropertyColumn(_message.Message):
    __slots__ = ("name", "events", "texts", "numbers", "scale", "decimals", "flags")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    name: int
    events: _containers.RepeatedScalarFieldContainer[int]
    texts: _containers.RepeatedScalarFieldContainer[int]
    numbers: _containers.RepeatedScalarFieldContainer[int]
    scale: int
    decimals: _containers.RepeatedScalarFieldContainer[int]
    flags: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, name: _Optional[int] = ..., events: _Optional[_Iterable[int]] = ..., texts: _Optional[_Iterable[int]] = ..., numbers: _Optional[_Iterable[int]] = ..., scale: _Optional[int] = ..., decimals: _Optional[_Iterable[int]] = ..., flags: _Optional[_Iterable[bool]] = ...) -> None: ...

class IngestMark(_message.Message):
    __slots__ = ("epoch", "sequence", "accepted", "duplicate", "rejected")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sequence: int
    accepted: int
    duplicate: int
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedEvent]
    def __init__(self, epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., accepted: _Optional[int] = ..., duplicate: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[RejectedEvent, _Mapping]]] = ...) -> None: ...

class RejectedEvent(_message.Message):
    __slots__ = ("sequence", "code", "detail")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    code: str
    detail: str
    def __init__(self, sequence: _Optional[int] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Meter(_message.Message):
    __slots__ = ("name", "event_type", "aggregation", "field", "dimensions", "unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    event_type: str
    aggregation: str
    field: str
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    unit: str
    def __init__(self, name: _Optional[str] = ..., event_type: _Optional[str] = ..., aggregation: _Optional[str] = ..., field: _Optional[str] = ..., dimensions: _Optional[_Iterable[str]] = ..., unit: _Optional[str] = ...) -> None: ...

class PutMeterRequest(_message.Message):
    __slots__ = ("namespace", "meter")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    METER_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    meter: Meter
    def __init__(self, namespace: _Optional[str] = ..., meter: _Optional[_Union[Meter, _Mapping]] = ...) -> None: ...

class PutMeterResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMetersRequest(_message.Message):
    __slots__ = ("namespace",)
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    def __init__(self, namespace: _Optional[str] = ...) -> None: ...

class ListMetersResponse(_message.Message):
    __slots__ = ("meters",)
    METERS_FIELD_NUMBER: _ClassVar[int]
    meters: _containers.RepeatedCompositeFieldContainer[Meter]
    def __init__(self, meters: _Optional[_Iterable[_Union[Meter, _Mapping]]] = ...) -> None: ...

class QueryMeterRequest(_message.Message):
    __slots__ = ("namespace", "meter", "from_ms", "to_ms", "window", "group_by", "where")
    class WhereEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    METER_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    meter: str
    from_ms: int
    to_ms: int
    window: str
    group_by: _containers.RepeatedScalarFieldContainer[str]
    where: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., meter: _Optional[str] = ..., from_ms: _Optional[int] = ..., to_ms: _Optional[int] = ..., window: _Optional[str] = ..., group_by: _Optional[_Iterable[str]] = ..., where: _Optional[_Mapping[str, str]] = ...) -> None: ...

class QueryMeterResponse(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[MeterValue]
    def __init__(self, values: _Optional[_Iterable[_Union[MeterValue, _Mapping]]] = ...) -> None: ...

class MeterValue(_message.Message):
    __slots__ = ("window_starts_ms", "group", "value", "events")
    class GroupEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WINDOW_STARTS_MS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    window_starts_ms: int
    group: _containers.ScalarMap[str, str]
    value: str
    events: int
    def __init__(self, window_starts_ms: _Optional[int] = ..., group: _Optional[_Mapping[str, str]] = ..., value: _Optional[str] = ..., events: _Optional[int] = ...) -> None: ...

class VerifyProducersRequest(_message.Message):
    __slots__ = ("namespace", "producer")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    producer: str
    def __init__(self, namespace: _Optional[str] = ..., producer: _Optional[str] = ...) -> None: ...

class VerifyProducersResponse(_message.Message):
    __slots__ = ("producers",)
    PRODUCERS_FIELD_NUMBER: _ClassVar[int]
    producers: _containers.RepeatedCompositeFieldContainer[ProducerAccount]
    def __init__(self, producers: _Optional[_Iterable[_Union[ProducerAccount, _Mapping]]] = ...) -> None: ...

class ProducerAccount(_message.Message):
    __slots__ = ("producer", "epoch", "sent", "accepted", "duplicate", "rejected", "rejected_by_code", "last_seen_ms")
    class RejectedByCodeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_BY_CODE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_MS_FIELD_NUMBER: _ClassVar[int]
    producer: str
    epoch: int
    sent: int
    accepted: int
    duplicate: int
    rejected: int
    rejected_by_code: _containers.ScalarMap[str, int]
    last_seen_ms: int
    def __init__(self, producer: _Optional[str] = ..., epoch: _Optional[int] = ..., sent: _Optional[int] = ..., accepted: _Optional[int] = ..., duplicate: _Optional[int] = ..., rejected: _Optional[int] = ..., rejected_by_code: _Optional[_Mapping[str, int]] = ..., last_seen_ms: _Optional[int] = ...) -> None: ...
