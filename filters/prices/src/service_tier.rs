//! Service tiers: how fast, and at which price, a provider serves a call.

use crate::unpriced::{Reason, Unpriced};

/// A service tier that price rows know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ServiceTier {
    /// What a call gets that asks for nothing.
    Standard,
    /// Faster and dearer.
    Priority,
    /// Slower and cheaper.
    Flex,
    /// Answered within a day.
    Batch,
    /// Fastest and dearest.
    Ultrafast,
}

impl ServiceTier {
    /// All of them.
    pub const ALL: [ServiceTier; 5] =
        [Self::Standard, Self::Priority, Self::Flex, Self::Batch, Self::Ultrafast];

    /// Its name; of all but the standard one also the field of a price row.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Priority => "priority",
            Self::Flex => "flex",
            Self::Batch => "batch",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// The tier that an answer says it was billed at; none said is the standard one. Reads the spellings of OpenAI,
    /// Anthropic, Gemini, Vertex, Bedrock and Groq, in whatever case. Allocates nothing.
    ///
    /// `auto` is no tier: of a request it leaves the choice to the provider (give `None` to
    /// [`crate::ModelPrice::ceiling`]).
    ///
    /// # Errors
    /// The tier has no price per token that we know of, such as capacity that was bought ahead.
    pub fn told(text: Option<&str>) -> Result<Self, Unpriced> {
        let Some(text) = text else { return Ok(Self::Standard) };
        let spellings: [(&str, Self); 12] = [
            ("", Self::Standard),
            ("default", Self::Standard),
            ("standard", Self::Standard),
            ("on_demand", Self::Standard),
            ("priority", Self::Priority),
            ("on_demand_priority", Self::Priority),
            ("flex", Self::Flex),
            ("on_demand_flex", Self::Flex),
            ("batch", Self::Batch),
            ("batches", Self::Batch),
            ("ultrafast", Self::Ultrafast),
            ("on_demand_ultrafast", Self::Ultrafast),
        ];
        spellings
            .into_iter()
            .find(|(spelling, _)| text.eq_ignore_ascii_case(spelling))
            .map(|(_, tier)| tier)
            .ok_or(Unpriced { reason: Reason::UnknownServiceTier })
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// A provider short of this tier serves the call at the standard one, and bills that.
    pub(crate) const fn may_be_served_as_standard(self) -> bool {
        matches!(self, Self::Priority | Self::Ultrafast)
    }
}
