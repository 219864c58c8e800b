//! Where a named service is: host, port and path.

use std::sync::Arc;

use creto_authz::{CallPath, PathGlob};

use crate::{
    HostEntry, PortRange,
    host_map::{Closeness, HostMap},
};

/// Host, port and path of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) hosts: Vec<HostEntry>,
    pub(crate) ports: Vec<PortRange>,
    /// Empty for any path.
    pub(crate) paths: Vec<PathGlob>,
}

impl Place {
    /// Hosts, as in rules.
    #[must_use]
    pub fn hosts(&self) -> &[HostEntry] {
        &self.hosts
    }

    /// Ports, as in rules.
    #[must_use]
    pub fn ports(&self) -> &[PortRange] {
        &self.ports
    }

    /// Paths, as in rules; none for any path.
    #[must_use]
    pub fn paths(&self) -> &[PathGlob] {
        &self.paths
    }
}

/// What is found by where it is.
pub(crate) trait Placed {
    fn place(&self) -> &Place;
    fn name(&self) -> &str;
}

/// How a path is read that can be read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is at a place only if every reading is.
    Every,
    /// It is at a place if any reading is.
    Any,
}

/// Everything of one kind, found by host, port and path.
#[derive(Clone, Debug)]
pub(crate) struct Directory<T> {
    entries: Vec<Arc<T>>,
    hosts: HostMap<Vec<u32>>,
}

impl<T> Default for Directory<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), hosts: HostMap::default() }
    }
}

impl<T: Placed> Directory<T> {
    /// Of documents in the order of their names; of one document they are taken in the order of their own.
    pub(crate) fn of<'d>(documents: impl Iterator<Item = &'d [Arc<T>]>) -> Self
    where
        T: 'd,
    {
        let mut entries = Vec::new();
        for document in documents {
            let first = entries.len();
            entries.extend(document.iter().cloned());
            entries[first..].sort_by(|one: &Arc<T>, other| one.name().cmp(other.name()));
        }
        let mut hosts = HostMap::<Vec<u32>>::default();
        for (number, entry) in (0..).zip(&entries) {
            for host in &entry.place().hosts {
                hosts.entry(host).push(number);
            }
        }
        Self { entries, hosts }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.entries.iter().map(|entry| &**entry)
    }

    /// The one whose host is named most closely; of those with the same one with a path before one without; then the
    /// first by name of policy and by its own.
    pub(crate) fn find(&self, host: &str, port: u16, path: &str, reading: Reading) -> Option<&T> {
        if self.entries.is_empty() {
            return None;
        }
        let path = CallPath::new(path);
        let mut best: Option<((Closeness, bool), u32, &T)> = None;
        self.hosts.each(host, |closeness, numbers| {
            for number in numbers {
                let Some(entry) = usize::try_from(*number).ok().and_then(|at| self.entries.get(at)) else {
                    continue;
                };
                let place = entry.place();
                let rank = (closeness, !place.paths.is_empty());
                let better = best
                    .as_ref()
                    .is_none_or(|(held, first, _)| rank > *held || rank == *held && number < first);
                if better && is_at(place, port, &path, reading) {
                    best = Some((rank, *number, entry));
                }
            }
        });
        best.map(|(_, _, entry)| entry)
    }
}

fn is_at(place: &Place, port: u16, path: &CallPath<'_>, reading: Reading) -> bool {
    place.ports.iter().any(|range| range.contains(port))
        && (place.paths.is_empty()
            || place.paths.iter().any(|glob| match reading {
                Reading::Every => glob.matches_every_reading(path),
                Reading::Any => glob.matches_any_reading(path),
            }))
}
