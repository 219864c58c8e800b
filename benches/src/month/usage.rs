//! The month: every event worked out from its number, so that the store and PostgreSQL are given the same ones.

/// 30 September 2026, 20:00 UTC, and 1 November, 08:00 UTC, in microseconds since 1970: more than the month of any
/// customer, so that some events fall outside.
const FROM_US: i64 = 1_790_798_400_000_000;
const TO_US: i64 = 1_793_520_000_000_000;
/// When everything is sent and billed: 2 November, 00:00 UTC.
pub(crate) const NOW_US: i64 = 1_793_577_600_000_000;

pub(crate) const AGENTS: u64 = 1_000;
pub(crate) const CUSTOMERS: u64 = 100;
/// Agents at work at a time, and for how long.
const AT_WORK: u64 = 50;
const SHIFT_US: i64 = 600_000_000;

/// A property: its name and, for numbers, its decimals.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    /// None for texts.
    pub(crate) scale: Option<u32>,
}

const fn number(name: &'static str, scale: u32) -> Property {
    Property { name, scale: Some(scale) }
}

const fn text(name: &'static str) -> Property {
    Property { name, scale: None }
}

pub(crate) const PROPERTIES: [Property; 15] = [
    number("tokens", 0),
    number("cost", 9),
    text("model"),
    text("region"),
    number("gigabytes", 6),
    text("user"),
    text("operation_type"),
    number("gpus", 0),
    text("pool"),
    number("level", 2),
    number("price", 4),
    number("seconds", 3),
    number("penalty", 0),
    number("amount", 2),
    number("seats", 0),
];

/// A type of events and the places of its properties in [`PROPERTIES`].
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) properties: &'static [usize],
}

pub(crate) const KINDS: [Kind; 11] = [
    Kind { name: "llm", properties: &[0, 1, 2] },
    Kind { name: "api", properties: &[3] },
    Kind { name: "egress", properties: &[4, 3] },
    Kind { name: "disk", properties: &[4] },
    Kind { name: "login", properties: &[5, 6] },
    Kind { name: "gpu", properties: &[7, 8] },
    Kind { name: "level", properties: &[9] },
    Kind { name: "job", properties: &[10, 11, 12] },
    Kind { name: "pay", properties: &[13] },
    Kind { name: "seat", properties: &[14] },
    // No plan charges it.
    Kind { name: "probe", properties: &[] },
];

/// What agents do, sixteen to a row, by role: places in [`KINDS`].
const ROLES: [[usize; 16]; 4] = [
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 10],
    [0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 5, 7, 7, 7, 7, 7],
    [0, 0, 0, 0, 1, 1, 1, 1, 4, 4, 4, 6, 8, 8, 8, 9],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 8],
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    None,
    /// Times ten to the power of the property's decimals.
    Number(i64),
    Word(&'static str),
    User(u32),
}

/// Who the event says is to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payer {
    /// The subscription of this customer, by its id.
    Subscription(u32),
    /// This customer.
    Customer(u32),
    /// A subscription that there is not.
    Unknown,
    Nobody,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) at_us: i64,
    /// The place in [`KINDS`].
    pub(crate) kind: usize,
    pub(crate) agent: u32,
    pub(crate) payer: Payer,
    /// As [`Kind::properties`].
    pub(crate) values: [Value; 3],
}

const MODELS: [&str; 6] = ["gpt-5", "gpt-5-mini", "claude-4", "gemini-3", "mistral", "local"];
const REGIONS: [&str; 4] = ["us", "ca", "eu", "ap"];
const POOLS: [&str; 3] = ["a100", "h100", "l4"];

/// Numbers that look random: the hash of a number, a few bits at a time.
struct Bits(u64);

impl Bits {
    const fn of(number: u64) -> Self {
        Self(mix(number))
    }

    /// Below a bound of at most 2^32.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        ((self.0 >> 32) * bound) >> 32
    }

    /// The same, as a number that may be subtracted from.
    fn signed(&mut self, bound: u64) -> i64 {
        self.below(bound).cast_signed()
    }

    fn among<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

const fn mix(number: u64) -> u64 {
    let a = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    c ^ (c >> 31)
}

/// The `nth` of `all` events, which rise in time; no two happen at the same instant.
pub(crate) fn usage(nth: u64, all: u64) -> Usage {
    let mut bits = Bits::of(nth);
    let step = (TO_US - FROM_US) / all.cast_signed();
    let at_us =
        FROM_US + nth.cast_signed() * step + bits.below(step.min(1 << 31).cast_unsigned()).cast_signed();
    let shift = Bits::of(((at_us - FROM_US) / SHIFT_US).cast_unsigned()).below(AGENTS / AT_WORK);
    let agent = bits.below(AT_WORK) * (AGENTS / AT_WORK) + shift;
    let customer = (agent % CUSTOMERS) as u32;
    let kind = bits.among(&ROLES[(agent / CUSTOMERS) as usize % ROLES.len()]);
    let payer = match bits.below(10_000) {
        0 => Payer::Unknown,
        1 => Payer::Nobody,
        2..600 => Payer::Customer(customer),
        _ => Payer::Subscription(customer),
    };
    let values = values(kind, customer, &mut bits);
    Usage { at_us, kind, agent: agent as u32, payer, values }
}

fn values(kind: usize, customer: u32, bits: &mut Bits) -> [Value; 3] {
    let number = Value::Number;
    let none = Value::None;
    match KINDS[kind].name {
        "llm" => {
            let tokens = 1 + bits.signed(8_000);
            [number(tokens), number(tokens * (150 + bits.signed(12_000))), Value::Word(bits.among(&MODELS))]
        }
        "api" => match bits.signed(16) {
            0 => [none; 3],
            _ => [Value::Word(bits.among(&REGIONS)), none, none],
        },
        "egress" => [number(bits.signed(3_000_000)), Value::Word(bits.among(&REGIONS)), none],
        "disk" => [number(bits.signed(2_000_000_001) - 900_000_000), none, none],
        "login" => {
            let user = customer * 1_000 + bits.signed(u64::from(20 + customer * 3)) as u32;
            let said = match bits.signed(8) {
                0 => Value::Word("remove"),
                1 => Value::Word("add"),
                _ => none,
            };
            [Value::User(user), said, none]
        }
        "gpu" => [number(1 + bits.signed(64)), Value::Word(bits.among(&POOLS)), none],
        "level" => [number(bits.signed(1_000_000) - 10_000), none, none],
        "job" => {
            let penalty = if bits.signed(4) == 0 { number(bits.signed(20)) } else { none };
            [number(bits.signed(9_999)), number(bits.signed(90_000)), penalty]
        }
        "pay" => match bits.signed(32) {
            0 => [number(-bits.signed(5_000)), none, none],
            _ => [number(bits.signed(60_000)), none, none],
        },
        "seat" => [number(bits.signed(7) - 3), none, none],
        _ => [none; 3],
    }
}
