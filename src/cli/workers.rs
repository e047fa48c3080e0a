//! All cores at work on a list, with the results in the list's order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};

use crate::base::mutex::lock;

/// Tasks begun, a worker, beyond the first unfinished one: as many results wait at most.
const AHEAD: usize = 32;

/// How many workers `tasks` keep busy on this machine.
pub fn count(tasks: usize) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(tasks).max(1)
}

/// Does `work` for each of 0 to `tasks`, on a thread for each of `workers`, and hands the results to
/// `take` in that order. Once `take` fails nothing more is begun.
pub fn in_order<W: Send, R: Send>(
    workers: &mut [W],
    tasks: usize,
    work: impl Fn(&mut W, usize) -> R + Sync,
    mut take: impl FnMut(usize, R) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let tickets = Tickets { state: Mutex::default(), changed: Condvar::new(), ahead: AHEAD * workers.len() };
    let (tickets, work) = (&tickets, &work);
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for worker in workers {
            let sender = sender.clone();
            scope.spawn(move || {
                // Also when `work` panics, or the others would wait for its result for ever.
                let _stop = StopOnPanic(tickets);
                while let Some(task) = tickets.next(tasks) {
                    if sender.send((task, work(worker, task))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (task, result) in receiver {
            waiting.insert(task, result);
            while let Some(result) = waiting.remove(&due) {
                take(due, result).inspect_err(|_| tickets.stop())?;
                due += 1;
                tickets.finish(due);
            }
        }
        Ok(())
    })
}

#[derive(Default)]
struct State {
    next: usize,
    finished: usize,
    stopped: bool,
}

struct Tickets {
    state: Mutex<State>,
    changed: Condvar,
    ahead: usize,
}

impl Tickets {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn next(&self, tasks: usize) -> Option<usize> {
        let full = |state: &mut State| !state.stopped && state.next >= state.finished + self.ahead;
        let mut state = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        let task = state.next;
        state.next += 1;
        (!state.stopped && task < tasks).then_some(task)
    }

    fn finish(&self, finished: usize) {
        self.lock().finished = finished;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }
}

struct StopOnPanic<'a>(&'a Tickets);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// Bounds what is in use at once, whatever the number of workers.
pub struct Budget {
    left: Mutex<u64>,
    freed: Condvar,
    whole: u64,
}

impl Budget {
    pub const fn new(whole: u64) -> Self {
        Self { left: Mutex::new(whole), freed: Condvar::new(), whole }
    }

    /// Waits until `amount`, or all where it is more, is free, and takes it until the answer is
    /// dropped.
    pub fn take(&self, amount: u64) -> Taken<'_> {
        let amount = amount.min(self.whole);
        let left = lock(&self.left);
        let left = self.freed.wait_while(left, |left| *left < amount);
        *left.unwrap_or_else(PoisonError::into_inner) -= amount;
        Taken { budget: self, amount }
    }
}

/// A part of a [`Budget`] in use.
pub struct Taken<'a> {
    budget: &'a Budget,
    amount: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *lock(&self.budget.left) += self.amount;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_keep_their_order_and_do_not_pile_up() {
        let begun = AtomicUsize::new(0);
        let mut seen = Vec::new();
        let work = |_: &mut (), task: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            // The first of each four is slow.
            std::thread::sleep(Duration::from_millis(if task.is_multiple_of(4) { 2 } else { 0 }));
            task
        };
        let mut most = 0;
        let take = |index, task| {
            most = most.max(begun.load(Ordering::SeqCst) - index);
            seen.push(task);
            Ok(())
        };
        in_order(&mut [(), (), ()], 300, work, take).expect("taken");
        assert_eq!(seen, (0..300).collect::<Vec<_>>());
        assert!(most <= 3 * AHEAD, "{most}");
    }

    #[test]
    fn a_failed_taker_ends_the_work() {
        let begun = AtomicUsize::new(0);
        let work = |_: &mut (), _| begun.fetch_add(1, Ordering::SeqCst);
        let result = in_order(&mut [(), ()], 1_000_000, work, |_, _| Err(anyhow::anyhow!("full")));
        assert_eq!(result.expect_err("failed").to_string(), "full");
        assert!(begun.load(Ordering::SeqCst) <= 2 * AHEAD + 2);
    }

    #[test]
    fn a_panic_is_passed_on() {
        let work = |_: &mut (), task: usize| assert_ne!(task, 5, "the fifth");
        let run = || in_order(&mut [(), ()], 1000, work, |_, ()| Ok(()));
        assert!(std::panic::catch_unwind(run).is_err());
    }

    #[test]
    fn a_budget_is_kept() {
        let budget = Budget::new(10);
        let (used, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for amount in [3, 4, 5, 6, 100] {
                let (budget, used, most) = (&budget, &used, &most);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let taken = budget.take(amount);
                        let now = used.fetch_add(taken.amount, Ordering::SeqCst) + taken.amount;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        used.fetch_sub(taken.amount, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 10);
    }
}
