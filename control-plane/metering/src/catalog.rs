//! The meters of a namespace, arranged by what events they count.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bounds::{MAX_LAYOUTS, MAX_METERS};
use crate::{Meter, StoreError, built_in_meters};

/// Meters over one type of events that are kept apart by the same properties: their rollups lie side by side.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The type of events.
    pub event_type: Arc<str>,
    /// What they are kept apart by, sorted.
    pub dimensions: Arc<[Arc<str>]>,
    /// The meters. One keeps its place for good; new ones come after.
    pub meters: Vec<Arc<Meter>>,
}

/// A meter and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) meter: Arc<Meter>,
    /// Index of its layout.
    pub(crate) layout: usize,
    /// Index within the layout.
    pub(crate) slot: usize,
    /// It counts events from this number in the order of ingestion on.
    pub(crate) since: u64,
}

/// The meters of a namespace, in the order they were defined in.
#[derive(Clone, Debug)]
pub struct Catalog {
    pub(crate) entries: Vec<Entry>,
    pub(crate) layouts: Vec<Layout>,
    by_name: HashMap<Arc<str>, usize>,
    by_type: HashMap<Arc<str>, Vec<usize>>,
}

impl Catalog {
    /// The built-in meters.
    #[must_use]
    pub fn built_in() -> Self {
        Self::restored(built_in_meters().into_iter().map(|meter| (meter, 0)), 0)
    }

    /// Meters as they were kept, in their order, each with the number of the first event it counts; and those built-in
    /// ones that are newer, which count from `next_order` on.
    pub(crate) fn restored(kept: impl IntoIterator<Item = (Meter, u64)>, next_order: u64) -> Self {
        let mut catalog = Self {
            entries: Vec::new(),
            layouts: Vec::new(),
            by_name: HashMap::new(),
            by_type: HashMap::new(),
        };
        for (meter, since) in kept {
            catalog.push(meter, since);
        }
        for meter in built_in_meters() {
            if !catalog.by_name.contains_key(&meter.name) {
                catalog.push(meter, next_order);
            }
        }
        catalog
    }

    /// The meter of a name.
    #[must_use]
    pub fn meter(&self, name: &str) -> Option<&Arc<Meter>> {
        self.entry(name).map(|entry| &entry.meter)
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|index| &self.entries[*index])
    }

    /// All, by name.
    #[must_use]
    pub fn meters(&self) -> Vec<Meter> {
        let mut meters: Vec<Meter> = self.entries.iter().map(|entry| (*entry.meter).clone()).collect();
        meters.sort_by(|a, b| a.name.cmp(&b.name));
        meters
    }

    /// The layouts that count events of a type, with their indices.
    pub fn layouts_of(&self, event_type: &str) -> impl Iterator<Item = (usize, &Layout)> {
        let indices = self.by_type.get(event_type).map_or(&[][..], Vec::as_slice);
        indices.iter().map(|index| (*index, &self.layouts[*index]))
    }

    /// The layout of a meter: its index, and the meter's place in it.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<(usize, usize)> {
        self.entry(name).map(|entry| (entry.layout, entry.slot))
    }

    /// The same with one more meter, which counts events from number `since` on; none when it is there already.
    ///
    /// # Errors
    /// What [`crate::EventStore::put_meter`] says.
    pub fn with(&self, meter: &Meter, since: u64) -> Result<Option<Self>, StoreError> {
        meter.check()?;
        if let Some(known) = self.meter(&meter.name) {
            let same = Meter { unit: Arc::clone(&meter.unit), ..(**known).clone() } == *meter;
            return if same { Ok(None) } else { Err(StoreError::MeterChanged(Arc::clone(&meter.name))) };
        }
        if self.entries.len() >= MAX_METERS {
            let next_step = "use another namespace, or a dimension instead of a meter a kind";
            return Err(StoreError::Full {
                what: "meters in this namespace",
                most: MAX_METERS as u64,
                next_step,
            });
        }
        let mut catalog = self.clone();
        catalog.push(meter.clone(), since);
        // Each set of dimensions is a series of sums of its own for every event of the type.
        if catalog.layouts_of(&meter.event_type).count() > MAX_LAYOUTS {
            return Err(StoreError::Full {
                what: "sets of dimensions over one type of events",
                most: MAX_LAYOUTS as u64,
                next_step: "give meters of one type the same dimensions",
            });
        }
        Ok(Some(catalog))
    }

    fn push(&mut self, meter: Meter, since: u64) {
        let mut dimensions = meter.dimensions.clone();
        dimensions.sort();
        let found = self.by_type.get(&meter.event_type).and_then(|layouts| {
            layouts.iter().copied().find(|index| *self.layouts[*index].dimensions == *dimensions)
        });
        let layout = found.unwrap_or_else(|| {
            let event_type = Arc::clone(&meter.event_type);
            self.layouts.push(Layout { event_type, dimensions: dimensions.into(), meters: Vec::new() });
            let index = self.layouts.len() - 1;
            self.by_type.entry(Arc::clone(&meter.event_type)).or_default().push(index);
            index
        });
        let meter = Arc::new(meter);
        let slot = self.layouts[layout].meters.len();
        self.layouts[layout].meters.push(Arc::clone(&meter));
        self.by_name.insert(Arc::clone(&meter.name), self.entries.len());
        self.entries.push(Entry { meter, layout, slot, since });
    }
}
