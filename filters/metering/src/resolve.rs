//! From the provider's counts to kinds that never overlap.
//!
//! Providers differ in what a count includes; which cell a count went to says it. A part that is larger than what is
//! left of its whole is clamped to it, and the usage marked as contradicting itself: never negative, never more than
//! the whole.

use crate::field::Field;
use crate::meter::{Cells, Meter};
use crate::usage::{MAX_COUNT, Usage};

/// Takes parts off a whole.
struct Rest {
    left: u64,
    overdrawn: bool,
}

impl Rest {
    fn take(&mut self, part: u64) -> u64 {
        self.overdrawn |= part > self.left;
        let taken = part.min(self.left);
        self.left -= taken;
        taken
    }
}

/// The provider told the input.
pub(crate) fn input_known(cells: &Cells) -> bool {
    [Field::InputAll, Field::Input, Field::MetricIn].into_iter().any(|field| cells.get(field).is_some())
}

/// The provider told the output.
pub(crate) fn output_known(cells: &Cells) -> bool {
    [Field::Output, Field::OutputPlain, Field::MetricOut].into_iter().any(|field| cells.get(field).is_some())
}

/// The usage as told, and whether the numbers contradict each other.
pub(crate) fn resolve(meter: &Meter) -> (Usage, bool) {
    let cells = &meter.cells;
    let mut usage = Usage::default();
    let mut contradiction = meter.contradiction;
    contradiction |= input(cells, &mut usage);
    contradiction |= output(cells, &mut usage);
    let aside = cells.aside;
    usage.input = usage.input.saturating_add(aside.input);
    usage.cached_input = usage.cached_input.saturating_add(aside.cached);
    usage.cache_write =
        usage.cache_write.saturating_add(aside.cache_write.saturating_sub(aside.cache_write_1h));
    usage.cache_write_1h = usage.cache_write_1h.saturating_add(aside.cache_write_1h);
    usage.output = usage.output.saturating_add(aside.output);
    let (images, tools) = meter.extras();
    (usage.images, usage.server_tool_calls) = (images, tools);
    usage.estimated = contradiction;
    (usage, contradiction)
}

fn input(cells: &Cells, usage: &mut Usage) -> bool {
    let mut cached = cells.or_zero(Field::Cached);
    let (hour, minutes) = (cells.or_zero(Field::CacheWrite1h), cells.or_zero(Field::CacheWrite5m));
    let mut contradiction = false;
    let mut written = match cells.get(Field::CacheWrite) {
        // The split may be older than the total, never larger.
        Some(total) => {
            contradiction |= hour.saturating_add(minutes) > total;
            total.max(hour.saturating_add(minutes))
        }
        None => hour.saturating_add(minutes),
    };
    let audio = cells.or_zero(Field::AudioIn).saturating_sub(cells.or_zero(Field::CachedAudio));
    let image = cells.or_zero(Field::ImageIn).saturating_sub(cells.or_zero(Field::CachedImage));

    if let Some(all) = cells.get(Field::InputAll) {
        let mut rest = Rest { left: all, overdrawn: false };
        cached = rest.take(cached);
        usage.cache_write_1h = rest.take(hour);
        usage.cache_write = rest.take(written - hour);
        usage.audio_input = rest.take(audio);
        usage.image_input = rest.take(image);
        usage.input = rest.left;
        contradiction |= rest.overdrawn;
    } else {
        let plain = match cells.get(Field::Input) {
            Some(plain) => plain,
            None => {
                // Bedrock's own count, for an answer that has none.
                cached = cached.max(cells.or_zero(Field::MetricCached));
                written = written.max(cells.or_zero(Field::MetricCacheWrite));
                cells.or_zero(Field::MetricIn)
            }
        };
        let mut rest = Rest { left: plain, overdrawn: false };
        usage.audio_input = rest.take(audio);
        usage.image_input = rest.take(image);
        usage.input = rest.left;
        usage.cache_write_1h = hour;
        usage.cache_write = written - hour;
        contradiction |= rest.overdrawn;
    }
    usage.cached_input = cached;
    usage.input = usage.input.saturating_add(cells.or_zero(Field::ToolInput));
    contradiction
}

fn output(cells: &Cells, usage: &mut Usage) -> bool {
    let told = cells.get(Field::Reasoning);
    let mut reasoning = told.unwrap_or(0);
    let mut contradiction = false;
    let (mut whole, mut reasoning_within) = match (cells.get(Field::Output), cells.get(Field::OutputPlain)) {
        (Some(whole), _) => (whole, true),
        (None, Some(plain)) => (plain, false),
        (None, None) if told.is_some() => (0, false),
        (None, None) => (cells.or_zero(Field::MetricOut), true),
    };

    // Some compatible hosts count reasoning beside the output, or only in the total: the total tells.
    if let (Some(all), Some(total)) = (cells.get(Field::InputAll), cells.get(Field::Total)) {
        let beside = if reasoning_within { 0 } else { reasoning };
        let sum =
            all.saturating_add(whole).saturating_add(beside).saturating_add(cells.or_zero(Field::ToolInput));
        let told_output = output_known(cells) || told.is_some();
        match total.checked_sub(sum) {
            Some(0) => {}
            Some(_) if !told_output => {}
            Some(gap) if reasoning_within && gap == reasoning => reasoning_within = false,
            Some(gap) if reasoning == 0 => {
                reasoning = gap;
                reasoning_within = false;
            }
            Some(gap) => {
                whole = whole.saturating_add(gap);
                contradiction = true;
            }
            None => contradiction = true,
        }
    }

    let mut rest = Rest { left: whole.min(MAX_COUNT), overdrawn: false };
    usage.reasoning = if reasoning_within { rest.take(reasoning) } else { reasoning };
    usage.audio_output = rest.take(cells.or_zero(Field::AudioOut));
    usage.output = rest.left;
    contradiction | rest.overdrawn
}
