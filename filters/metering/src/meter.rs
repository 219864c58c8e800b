//! What has been read so far: the cells of the counts, and the facts around them.
//!
//! A count that comes again only grows: providers repeat their counts for all that came so far. One that goes down
//! contradicts itself; the larger stays.

use crate::field::{COUNTS, Field};
use crate::json::{Number, Scalar, Short, Sink};
use crate::resolve::{output_known, resolve};
use crate::shape::Shape;
use crate::usage::{MAX_COUNT, Usage};

/// The events that matter, by their `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Other,
    /// The answer is over.
    Last,
    /// An item is whole.
    Item,
    /// A part of sound, in base64.
    Sound,
    /// An image is whole.
    Image,
    /// A response of a realtime session begins.
    Begun,
    /// A response of a realtime session is over.
    Over,
}

impl Event {
    fn of(name: &[u8]) -> Event {
        match name {
            b"response.completed" | b"response.incomplete" | b"response.failed" | b"message_stop" => {
                Event::Last
            }
            b"response.output_item.done" => Event::Item,
            b"response.output_audio.delta" | b"response.audio.delta" => Event::Sound,
            b"image_generation.completed" | b"image_edit.completed" => Event::Image,
            b"response.created" => Event::Begun,
            b"response.done" => Event::Over,
            _ => Event::Other,
        }
    }
}

/// Calls of tools that the provider ran, and images it made, told by the items of the output.
#[derive(Debug, Clone, Copy, Default)]
struct Items {
    searches: u64,
    others: u64,
    images: u64,
}

impl Items {
    fn add(&mut self, kind: &[u8]) {
        match kind {
            b"web_search_call" => self.searches += 1,
            b"file_search_call" | b"code_interpreter_call" | b"mcp_call" => self.others += 1,
            b"image_generation_call" => self.images += 1,
            _ => {}
        }
    }

    fn plus(self, other: Items) -> Items {
        Items {
            searches: self.searches + other.searches,
            others: self.others + other.others,
            images: self.images + other.images,
        }
    }

    fn most(self, other: Items) -> Items {
        Items {
            searches: self.searches.max(other.searches),
            others: self.others.max(other.others),
            images: self.images.max(other.images),
        }
    }
}

/// What one document has told and only its end makes sense of.
#[derive(Debug, Clone, Copy)]
struct Page {
    usage: bool,
    finish: bool,
    event: Event,
    delta: u64,
    text: u64,
    /// The lists have told something.
    lists: bool,
}

/// The same for lists and their entries, which few documents have.
#[derive(Debug, Clone)]
struct Lists {
    items: Items,
    images: u64,
    queries: u64,
    code_runs: u64,
    input_parts: Option<u64>,
    output_parts: Option<u64>,
    /// Sums over the entries, with the field they go to.
    sums: [(Field, Option<u64>); 7],
    /// The entry that is being read.
    name: Name,
    count: u64,
    step: Step,
    steps: Step,
}

/// What the name of an entry of a list can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Other,
    Audio,
    Image,
    Hour,
    Minutes,
    /// A step that the totals leave out.
    Aside,
}

/// Tokens of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) cache_write: u64,
    pub(crate) cache_write_1h: u64,
    pub(crate) output: u64,
}

impl Step {
    fn plus(self, other: Step) -> Step {
        Step {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            output: self.output.saturating_add(other.output),
        }
    }

    fn total(self) -> u64 {
        [self.input, self.cached, self.cache_write, self.output].into_iter().fold(0, u64::saturating_add)
    }
}

impl Page {
    const NEW: Page =
        Page { usage: false, finish: false, event: Event::Other, delta: 0, text: 0, lists: false };
}

impl Lists {
    const fn new() -> Self {
        const NO_STEP: Step = Step { input: 0, cached: 0, cache_write: 0, cache_write_1h: 0, output: 0 };
        Self {
            items: Items { searches: 0, others: 0, images: 0 },
            images: 0,
            queries: 0,
            code_runs: 0,
            input_parts: None,
            output_parts: None,
            sums: [
                (Field::AudioIn, None),
                (Field::ImageIn, None),
                (Field::CachedAudio, None),
                (Field::CachedImage, None),
                (Field::AudioOut, None),
                (Field::CacheWrite5m, None),
                (Field::CacheWrite1h, None),
            ],
            name: Name::Other,
            count: 0,
            step: NO_STEP,
            steps: NO_STEP,
        }
    }
}

/// The counts as the provider told them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells {
    values: [Option<u64>; COUNTS],
    pub(crate) aside: Step,
}

impl Cells {
    const fn new() -> Self {
        Self {
            values: [None; COUNTS],
            aside: Step { input: 0, cached: 0, cache_write: 0, cache_write_1h: 0, output: 0 },
        }
    }

    /// The count of `field`, if it was told.
    pub(crate) fn get(&self, field: Field) -> Option<u64> {
        field.cell().and_then(|cell| self.values.get(cell).copied().flatten())
    }

    /// The count of `field`, zero if it was not told.
    pub(crate) fn or_zero(&self, field: Field) -> u64 {
        self.get(field).unwrap_or(0)
    }

    /// Raises the count; false if `value` is below what was told before.
    fn raise(&mut self, cell: usize, value: u64) -> bool {
        let Some(slot) = self.values.get_mut(cell) else { return true };
        let before = slot.unwrap_or(0);
        *slot = Some(before.max(value));
        value >= before
    }
}

/// Everything read so far. See the module.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    shape: Shape,
    /// Counts told in headers.
    headers: (Option<u64>, Option<u64>),
    pub(crate) cells: Cells,
    pub(crate) model: Short,
    tier: Short,
    traffic: Short,
    page: Page,
    lists: Lists,
    streamed: Items,
    whole: Items,
    images: u64,
    image_parts: u64,
    queries: u64,
    code_runs: u64,
    /// Bytes of text written, decoded.
    pub(crate) text: u64,
    /// Bytes of sound written, in base64.
    pub(crate) sound: u64,
    /// Documents that brought text.
    pub(crate) pieces: u64,
    /// A document with a usage object was read to its end.
    pub(crate) usage: bool,
    /// The model said why it stopped.
    pub(crate) finished: bool,
    /// The stream said that it is over.
    pub(crate) over: bool,
    /// The provider told an error.
    pub(crate) failed: bool,
    /// A number was not a believable count, or contradicts another.
    pub(crate) contradiction: bool,
    /// What the responses of a realtime session used that are over.
    pub(crate) settled: Usage,
    /// Responses of a realtime session that have begun and are not over.
    pub(crate) open: u64,
}

impl Meter {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            headers: (None, None),
            cells: Cells::new(),
            model: Short::new(),
            tier: Short::new(),
            traffic: Short::new(),
            page: Page::NEW,
            lists: Lists::new(),
            streamed: Items::default(),
            whole: Items::default(),
            images: 0,
            image_parts: 0,
            queries: 0,
            code_runs: 0,
            text: 0,
            sound: 0,
            pieces: 0,
            usage: false,
            finished: false,
            over: false,
            failed: false,
            contradiction: false,
            settled: Usage::default(),
            open: 0,
        }
    }

    /// Forgets all but what the headers told.
    pub(crate) fn clear(&mut self) {
        let (input, output) = self.headers;
        *self = Self::new(self.shape);
        self.headers(input, output);
    }

    /// The tier billed.
    pub(crate) fn tier(&self) -> &[u8] {
        if self.tier.bytes().is_empty() { self.traffic.bytes() } else { self.tier.bytes() }
    }

    /// Counts Bedrock tells in headers; they count where the answer tells none.
    pub(crate) fn headers(&mut self, input: Option<u64>, output: Option<u64>) {
        self.headers = (input, output);
        for (field, value) in [(Field::MetricIn, input), (Field::MetricOut, output)] {
            if let (Some(cell), Some(value)) = (field.cell(), value) {
                self.contradiction |= value > MAX_COUNT;
                self.cells.raise(cell, value.min(MAX_COUNT));
                self.usage = true;
            }
        }
    }

    /// Images made and tools run, of this and every earlier document.
    pub(crate) fn extras(&self) -> (u64, u64) {
        let items = self.streamed.most(self.whole);
        let searches = match self.cells.get(Field::Searches) {
            Some(told) => told,
            None => items.searches.max(self.queries),
        };
        let tools = searches
            .saturating_add(self.cells.or_zero(Field::Fetches))
            .saturating_add(self.cells.or_zero(Field::CodeRuns))
            .saturating_add(items.others)
            .saturating_add(self.code_runs);
        (items.images.saturating_add(self.images).saturating_add(self.image_parts), tools)
    }

    /// Takes a number for a count: whole, not negative, at most [`MAX_COUNT`]. What is not is bent into one.
    fn count(&mut self, number: Number) -> Option<u64> {
        if number.exponent {
            self.contradiction = true;
            return None;
        }
        if number.negative {
            self.contradiction |= number.whole != 0 || number.fraction;
            return Some(0);
        }
        self.contradiction |= number.fraction || number.whole > MAX_COUNT;
        Some(number.whole.saturating_add(u64::from(number.fraction)).min(MAX_COUNT))
    }

    fn raise(&mut self, cell: usize, value: u64) {
        if !self.cells.raise(cell, value) {
            self.contradiction = true;
        }
    }

    fn sum(&mut self, field: Field, value: u64) {
        if let Some((_, slot)) = self.lists.sums.iter_mut().find(|(known, _)| *known == field) {
            *slot = Some(slot.unwrap_or(0).saturating_add(value).min(MAX_COUNT));
        }
    }

    /// The lists, about to be told something.
    fn lists(&mut self) -> &mut Lists {
        self.page.lists = true;
        &mut self.lists
    }

    fn text(&mut self, field: Field, text: &[u8]) {
        match field {
            Field::Model => keep(&mut self.model, text),
            Field::Tier => keep(&mut self.tier, text),
            Field::Traffic => keep(&mut self.traffic, text),
            Field::Finish => self.page.finish |= !text.is_empty(),
            Field::Event => self.page.event = Event::of(text),
            Field::Item => self.lists().items.add(text),
            Field::Media => self.lists().images += u64::from(text.starts_with(b"image/")),
            Field::SearchQuery => self.lists().queries += 1,
            Field::DetailName => {
                self.lists().name = match text {
                    b"AUDIO" => Name::Audio,
                    b"IMAGE" | b"VIDEO" => Name::Image,
                    b"1h" => Name::Hour,
                    b"5m" => Name::Minutes,
                    b"compaction" | b"advisor_message" => Name::Aside,
                    _ => Name::Other,
                };
            }
            Field::Failure => self.failed = true,
            _ => {}
        }
    }

    fn number(&mut self, field: Field, number: Number) {
        let Some(count) = self.count(number) else { return };
        if let Some(cell) = field.cell() {
            self.raise(cell, count);
            return;
        }
        let page = self.lists();
        match field {
            Field::DetailCount => page.count = count,
            Field::InputPart => page.input_parts = Some(page.input_parts.unwrap_or(0).saturating_add(count)),
            Field::OutputPart => {
                page.output_parts = Some(page.output_parts.unwrap_or(0).saturating_add(count));
            }
            Field::StepInput => page.step.input = count,
            Field::StepCached => page.step.cached = count,
            Field::StepCacheWrite => page.step.cache_write = count,
            Field::StepCacheWrite1h => page.step.cache_write_1h = count,
            Field::StepOutput => page.step.output = count,
            Field::Failure => self.failed = true,
            _ => {}
        }
    }

    /// A document broke off: the text it brought stays counted, the rest is forgotten.
    pub(crate) fn abandon(&mut self) {
        self.take_text();
        self.page = Page::NEW;
        self.lists = Lists::new();
    }

    fn take_text(&mut self) {
        if self.page.event == Event::Sound {
            self.sound += self.page.delta;
        } else {
            self.text += self.page.delta;
        }
        self.pieces += u64::from(self.page.delta > 0 || self.page.text > 0);
    }

    /// An answer, or one event of it, is whole.
    fn turn(&mut self) {
        self.take_text();
        let page = std::mem::replace(&mut self.page, Page::NEW);
        if page.lists {
            let lists = std::mem::replace(&mut self.lists, Lists::new());
            self.turn_lists(&lists, page);
        }
        // The models of Bedrock tell their counts anywhere.
        self.usage |= page.usage || (self.shape == Shape::BedrockInvoke && output_known(&self.cells));
        self.finished |= page.finish;
        self.over |= matches!(page.event, Event::Last | Event::Image);
        self.images += u64::from(page.event == Event::Image);
        if self.shape == Shape::OpenAiRealtime {
            self.turn_session(page.event, page.usage);
        }
    }

    fn turn_lists(&mut self, lists: &Lists, page: Page) {
        for (field, sum) in lists.sums {
            if let (Some(cell), Some(sum)) = (field.cell(), sum) {
                self.raise(cell, sum);
            }
        }
        for (field, parts) in [(Field::InputAll, lists.input_parts), (Field::Output, lists.output_parts)] {
            if let (Some(cell), Some(parts)) = (field.cell(), parts) {
                self.raise(cell, parts.min(MAX_COUNT));
                self.usage = true;
            }
        }
        if lists.steps.total() > self.cells.aside.total() {
            self.cells.aside = lists.steps;
        }
        self.images += lists.images;
        self.queries = self.queries.max(lists.queries);
        self.code_runs += lists.code_runs;
        match page.event {
            Event::Item => self.streamed = self.streamed.plus(lists.items),
            // An item that has only been announced comes again when it is whole.
            Event::Other if self.shape == Shape::OpenAiResponses && !page.usage => {}
            _ => self.whole = self.whole.most(lists.items),
        }
    }

    /// Usage of a realtime session is added over its responses: what was told is settled and forgotten.
    fn turn_session(&mut self, event: Event, usage: bool) {
        match event {
            Event::Begun => self.open += 1,
            Event::Over => {
                self.open = self.open.saturating_sub(1);
                if self.open == 0 && usage {
                    (self.text, self.sound, self.pieces) = (0, 0, 0);
                }
            }
            _ => {}
        }
        if usage {
            let (mut used, contradiction) = resolve(self);
            used.estimated |= contradiction;
            self.settled = self.settled.plus(&used);
            self.cells = Cells::new();
            self.contradiction = false;
            (self.streamed, self.whole) = (Items::default(), Items::default());
        }
    }
}

fn keep(short: &mut Short, text: &[u8]) {
    // An empty name tells nothing: the first chunk of some hosts has one.
    if !text.is_empty() {
        short.clear();
        short.push(text);
    }
}

impl Sink for Meter {
    fn scalar(&mut self, field: Field, value: Scalar<'_>) {
        match value {
            Scalar::Null => {}
            Scalar::Bool(_) => self.failed |= field == Field::Failure,
            Scalar::Number(number) => self.number(field, number),
            Scalar::Text(text) => self.text(field, text),
        }
    }

    fn piece(&mut self, field: Field, bytes: &[u8]) {
        let len = bytes.len() as u64;
        if field == Field::Delta {
            self.page.delta += len;
        } else {
            self.text += len;
            self.page.text += len;
        }
    }

    fn open(&mut self, field: Field) {
        match field {
            Field::Failure => self.failed = true,
            Field::Image => self.image_parts += 1,
            Field::CodeRun => self.lists().code_runs += 1,
            Field::DetailIn | Field::DetailCached | Field::DetailOut | Field::DetailTtl => {
                let lists = self.lists();
                (lists.name, lists.count) = (Name::Other, 0);
            }
            Field::Steps => self.lists().steps = Step::default(),
            Field::Step => {
                let lists = self.lists();
                (lists.name, lists.step) = (Name::Other, Step::default());
            }
            _ => {}
        }
    }

    fn close(&mut self, field: Field) {
        let (name, count) = (self.lists.name, self.lists.count);
        match (field, name) {
            (Field::Usage, _) => self.page.usage = true,
            (Field::Metrics, _) => {
                self.page.usage = true;
                self.over = true;
            }
            (Field::DetailIn, Name::Audio) => self.sum(Field::AudioIn, count),
            (Field::DetailIn, Name::Image) => self.sum(Field::ImageIn, count),
            (Field::DetailCached, Name::Audio) => self.sum(Field::CachedAudio, count),
            (Field::DetailCached, Name::Image) => self.sum(Field::CachedImage, count),
            (Field::DetailOut, Name::Audio) => self.sum(Field::AudioOut, count),
            (Field::DetailTtl, Name::Hour) => self.sum(Field::CacheWrite1h, count),
            (Field::DetailTtl, Name::Minutes) => self.sum(Field::CacheWrite5m, count),
            (Field::Step, Name::Aside) => self.lists.steps = self.lists.steps.plus(self.lists.step),
            (Field::Answer, _) => self.turn(),
            _ => {}
        }
    }
}
