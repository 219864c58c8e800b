//! What of a body bounds its use, told by keys wherever they stand: a key that means something else there only makes the
//! bound wider.

use creto_call::Demand;

use super::model::Place;

/// Longest service tier, in bytes.
pub(super) const MAX_TIER: usize = 64;
/// Stands for a longer one, which no provider has.
pub(super) const LONG_TIER: &str = "(too long)";
/// Longest type that is looked at.
pub(super) const MAX_KIND: usize = 32;

/// Notes what a key that no API's own facts stand under says; where its value stands.
pub(super) fn note(key: &str, top: bool, demand: &mut Demand) -> Place {
    match key {
        "type" if !top => return Place::Kind,
        "image_url"
        | "input_audio"
        | "file"
        | "file_url"
        | "file_data"
        | "fileData"
        | "inlineData"
        | "inline_data"
        | "source"
        | "image"
        | "video"
        | "document"
        | "audio"
        | "modalities"
        | "responseModalities"
        | "response_modalities"
        | "speechConfig"
        | "speech_config"
        | "mask" => {
            demand.media = true;
        }
        "file_id" | "s3Location" | "fileUri" | "file_uri" => {
            demand.media = true;
            demand.refers = true;
        }
        "previous_response_id"
        | "conversation"
        | "prompt_cache"
        | "cachedContent"
        | "cached_content"
        | "container"
        | "context_management"
            if top =>
        {
            demand.refers = true;
        }
        // A stored prompt is an object; that of completions is text, which counts by its bytes either way.
        "prompt" if top => return Place::StoredPrompt,
        "web_search_options" | "mcp_servers" if top => demand.provider_tools = true,
        "speed" | "inference_geo" if top => demand.premium = true,
        _ => {}
    }
    Place::Elsewhere
}
