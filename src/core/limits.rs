//! Bounds on everything that comes from outside, in one place.

/// Largest HTTP request body accepted by the gateway, in bytes.
pub const MAX_HTTP_BODY: usize = 25 * 1024 * 1024;
/// Largest WebSocket message accepted after authentication, in bytes (OpenClaw's `policy.maxPayload`).
pub const MAX_WS_MESSAGE: usize = 26_214_400;
/// Frames queued for one WebSocket connection before it counts as a slow consumer.
pub const MAX_WS_QUEUED_FRAMES: usize = 4_096;
/// Bytes queued for one WebSocket connection before it counts as a slow consumer.
pub const MAX_WS_QUEUED_BYTES: usize = 52_428_800;
/// Deepest nesting of JSON accepted from outside.
pub const MAX_JSON_DEPTH: usize = 64;
/// Most calls in one JSON-RPC batch.
pub const MAX_RPC_BATCH: usize = 100;
/// Longest user message, in bytes of UTF-8.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Largest attachment after base64 decoding, in bytes.
pub const MAX_ATTACHMENT_BYTES: usize = 19_464_192;
/// Longest session key, agent id or idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// Largest configuration file or include, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 2 * 1024 * 1024;
/// Runs waiting in one session's lane before further messages are refused.
pub const MAX_LANE_QUEUE: usize = 64;
/// Model calls in one run unless the agent's configuration says otherwise.
pub const MAX_STEPS: u32 = 64;
/// Text of one tool result shown to the model, in bytes.
pub const MAX_TOOL_RESULT_BYTES: usize = 64 * 1024;
/// Largest provider response body kept in memory for one call, in bytes.
pub const MAX_PROVIDER_RESPONSE_BYTES: usize = 64 * 1024 * 1024;
