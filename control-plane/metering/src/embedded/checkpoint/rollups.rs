//! Cells into rollups of all four levels.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use sqlx::Row as _;

use super::{Failure, ROWS, Writer, places, query};
use crate::accumulator::Unique;
use crate::bounds::MAX_MEMBERS;
use crate::embedded::block::{self, BLOCK_BITS, Block, Slot};
use crate::embedded::space::{CellView, Space};
use crate::time::MINUTE_US;
use crate::{Accumulator, Catalog, Window};

/// Where a cell belongs: the block, the series in it, and the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Placed {
    layout: i64,
    start: i64,
    block: i64,
    series: u8,
    cell: u32,
}

/// Key of a block, without its level.
type BlockKey = (i64, i64, i64);

impl Writer<'_> {
    /// Writes the cells of a namespace into all four levels.
    pub(super) async fn space(
        &mut self,
        namespace: &Arc<str>,
        catalog: &Catalog,
        space: &Space,
    ) -> Result<(), Failure> {
        let numbers = self.series(namespace, catalog, space).await?;
        let cells: Vec<CellView<'_>> = space.cells().collect();
        let mut months = HashMap::<i64, i64>::new();
        for (level, window) in Window::ALL.into_iter().enumerate() {
            let mut placed: Vec<Placed> = Vec::with_capacity(cells.len());
            for (index, cell) in cells.iter().enumerate() {
                let (layout, number) = numbers[cell.series as usize];
                let start = match window {
                    Window::Minute => cell.minute,
                    Window::Month => {
                        let day = cell.minute.div_euclid(1_440);
                        *months
                            .entry(day)
                            .or_insert_with(|| window.start_us(day * 1_440 * MINUTE_US) / MINUTE_US)
                    }
                    _ => window.start_us(cell.minute * MINUTE_US) / MINUTE_US,
                };
                let (block, series) = (number >> BLOCK_BITS, (number & ((1 << BLOCK_BITS) - 1)) as u8);
                placed.push(Placed { layout, start, block, series, cell: index as u32 });
            }
            placed.sort_unstable();
            let mut rest = placed.as_slice();
            while !rest.is_empty() {
                let mut keys: Vec<(BlockKey, &[Placed])> = Vec::with_capacity(ROWS);
                while keys.len() < ROWS
                    && let Some(first) = rest.first()
                {
                    let key = |placed: &Placed| (placed.layout, placed.start, placed.block);
                    let size = rest.partition_point(|placed| key(placed) <= key(first));
                    let (these, others) = rest.split_at(size);
                    keys.push((key(first), these));
                    rest = others;
                }
                self.blocks(level as i64, &keys, &cells).await?;
            }
        }
        Ok(())
    }

    /// Merges cells into the blocks they belong to.
    async fn blocks(
        &mut self,
        level: i64,
        keys: &[(BlockKey, &[Placed])],
        cells: &[CellView<'_>],
    ) -> Result<(), Failure> {
        let sql = format!(
            "WITH wanted (layout, start, block) AS (VALUES {}) \
             SELECT w.layout, w.start, w.block, r.body FROM wanted w CROSS JOIN rollup r \
             ON r.layout = w.layout AND r.level = ? AND r.start = w.start AND r.block = w.block",
            places(keys.len(), 3)
        );
        let mut select = query(sql);
        for ((layout, start, block), _) in keys {
            select = select.bind(*layout).bind(*start).bind(*block);
        }
        let mut known: HashMap<BlockKey, Block, RandomState> = HashMap::default();
        for row in select.bind(level).fetch_all(&mut *self.connection).await? {
            let body: &[u8] = row.try_get(3)?;
            let block =
                block::decode(body).ok_or_else(|| Failure::Damaged("a rollup cannot be read".into()))?;
            known.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?), block);
        }
        let sql = format!(
            "INSERT INTO rollup (layout, level, start, block, body) VALUES {} \
             ON CONFLICT DO UPDATE SET body = excluded.body",
            places(keys.len(), 5)
        );
        let mut insert = query(sql);
        for (key, placed) in keys {
            let mut block = known.remove(key).unwrap_or_default();
            for one in *placed {
                let slots = block.entry(one.series).or_default();
                let accumulators = cells[one.cell as usize].accumulators;
                if slots.len() < accumulators.len() {
                    slots.resize(accumulators.len(), Slot::default());
                }
                for (index, (slot, accumulator)) in slots.iter_mut().zip(accumulators).enumerate() {
                    if accumulator.events() == 0 {
                        continue;
                    }
                    if let Accumulator::Unique(unique) = accumulator {
                        let number = key.2 << BLOCK_BITS | i64::from(one.series);
                        let at = (key.0, level, key.1, number, index as i64);
                        self.members(at, unique, slot).await?;
                        continue;
                    }
                    match &mut slot.accumulator {
                        Some(known) => known.merge(accumulator),
                        none => *none = Some(accumulator.clone()),
                    }
                }
            }
            insert = insert.bind(key.0).bind(level).bind(key.1).bind(key.2).bind(block::encode(&block));
        }
        insert.execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Adds distinct values to those of a window.
    async fn members(
        &mut self,
        (layout, level, start, series, slot): (i64, i64, i64, i64, i64),
        unique: &Unique,
        kept: &mut Slot,
    ) -> Result<(), Failure> {
        let mut full = unique.full;
        let mut events = unique.events;
        if let Some(Accumulator::Unique(known)) = &kept.accumulator {
            full |= known.full;
            events += known.events;
        }
        let members: Vec<&[u8]> = unique.members.iter().map(|member| &**member).collect();
        for chunk in members.chunks(ROWS) {
            if full {
                break;
            }
            let sql = format!("INSERT OR IGNORE INTO member VALUES {}", places(chunk.len(), 6));
            let mut insert = query(sql);
            for member in chunk {
                insert =
                    insert.bind(layout).bind(level).bind(start).bind(series).bind(slot).bind(member.to_vec());
            }
            kept.members += insert.execute(&mut *self.connection).await?.rows_affected();
            full = kept.members > MAX_MEMBERS as u64;
        }
        kept.accumulator = Some(Accumulator::Unique(Box::new(Unique { events, full, ..Unique::default() })));
        Ok(())
    }
}
