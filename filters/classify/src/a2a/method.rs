//! Names of methods, brought to those of version 1.0.

/// Version 1.0's names, which JSON-RPC and gRPC share.
const METHODS: [&str; 11] = [
    "SendMessage",
    "SendStreamingMessage",
    "GetTask",
    "ListTasks",
    "CancelTask",
    "SubscribeToTask",
    "CreateTaskPushNotificationConfig",
    "GetTaskPushNotificationConfig",
    "ListTaskPushNotificationConfigs",
    "DeleteTaskPushNotificationConfig",
    "GetExtendedAgentCard",
];

/// Older names: JSON-RPC of 0.2 and 0.3, gRPC of 0.3.
const OLDER: [(&str, &str); 20] = [
    ("message/send", "SendMessage"),
    ("message/stream", "SendStreamingMessage"),
    ("tasks/send", "SendMessage"),
    ("tasks/sendSubscribe", "SendStreamingMessage"),
    ("tasks/get", "GetTask"),
    ("tasks/list", "ListTasks"),
    ("tasks/cancel", "CancelTask"),
    ("tasks/resubscribe", "SubscribeToTask"),
    ("tasks/pushNotificationConfig/set", "CreateTaskPushNotificationConfig"),
    ("tasks/pushNotificationConfig/get", "GetTaskPushNotificationConfig"),
    ("tasks/pushNotificationConfig/list", "ListTaskPushNotificationConfigs"),
    ("tasks/pushNotificationConfig/delete", "DeleteTaskPushNotificationConfig"),
    ("tasks/pushNotification/set", "CreateTaskPushNotificationConfig"),
    ("tasks/pushNotification/get", "GetTaskPushNotificationConfig"),
    ("agent/getAuthenticatedExtendedCard", "GetExtendedAgentCard"),
    ("agent/authenticatedExtendedCard", "GetExtendedAgentCard"),
    ("TaskSubscription", "SubscribeToTask"),
    ("ListTaskPushNotificationConfig", "ListTaskPushNotificationConfigs"),
    ("GetAgentCard", "GetExtendedAgentCard"),
    ("ListTask", "ListTasks"),
];

/// The name in version 1.0, if the method is one of the protocol's.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    METHODS
        .into_iter()
        .find(|method| *method == name)
        .or_else(|| OLDER.into_iter().find(|(older, _)| *older == name).map(|(_, method)| method))
}

/// Whether a JSON-RPC method is one of the protocol's.
pub(crate) fn is_method(name: &str) -> bool {
    known(name).is_some()
}

/// The name in version 1.0; a method that is not the protocol's stays as sent.
pub(crate) fn normal(name: &str) -> String {
    known(name).unwrap_or(name).to_owned()
}
