//! What may be done next, and what may not.

use super::*;
use crate::spec::image::Extent;

/// Zero pieces of 1 MiB, in order.
pub fn pieces(count: u64) -> impl Iterator<Item = Piece> + Send {
    (0..count).map(|number| {
        let range = number << 20..(number + 1) << 20;
        let entry = IndexEntry { offset: range.start, length: 1 << 20, content: Extent::Zero };
        Piece { entry, range }
    })
}

fn begin(board: &Board<'_>) -> Range<u64> {
    let Some(Task::Write(job)) = board.next() else { panic!("something is to be written") };
    job.range()
}

#[test]
fn while_the_source_is_slow_what_is_written_is_flushed_and_one_block_at_a_time_read_back() {
    let board = Board::new(pieces(200));
    assert!(board.hand_in(Job::Zero(0..EARLY)) && board.hand_in(Job::Fill(EARLY..EARLY + 4096)));
    let (first, second) = (begin(&board), begin(&board));
    board.done(second.start, 4096, 4096);
    board.done(first.start, EARLY, 0);
    assert!(board.locked().choose().is_none(), "a command is no reason to flush");
    assert!(board.hand_in(Job::Fill(EARLY + 4096..EARLY + 8192)));
    board.done(begin(&board).start, 4096, EARLY);
    // both were written when the flush began
    let Some(Task::Flush(end)) = board.next() else { panic!() };
    assert_eq!(end, EARLY + 8192);
    // what comes meanwhile is written meanwhile, and isn't durable with it
    assert!(board.hand_in(Job::Zero(end..end + (1 << 20))));
    let third = begin(&board);
    board.flushed(end);
    let Some(Task::Check(piece)) = board.next() else { panic!() };
    assert_eq!(piece.range, 0..1 << 20);
    assert!(board.hand_in(Job::Fill(third.end..third.end + 4096)));
    assert_eq!(begin(&board), third.end..third.end + 4096, "writing comes first");
    board.checked(1 << 20);
    for number in 1..64 {
        let Some(Task::Check(piece)) = board.next() else { panic!() };
        assert_eq!(piece.range.start, number << 20);
        assert!(board.locked().choose().is_none(), "one at a time");
        board.checked(1 << 20);
    }
    assert!(board.locked().choose().is_none(), "the 65th ends behind what is durable");
}

#[test]
fn where_the_source_only_pauses_nothing_is_flushed_before_the_end() {
    let board = Board::new(pieces(4));
    for number in 0..3 {
        assert!(board.hand_in(Job::Fill(number << 20..(number + 1) << 20)));
    }
    for _ in 0..3 {
        board.done(begin(&board).start, 1 << 20, EARLY);
    }
    assert!(board.locked().choose().is_none(), "one of three jobs was waited for");
    assert!(board.hand_in(Job::Fill(3 << 20..4 << 20)));
    board.all_handed_in();
    board.done(begin(&board).start, 1 << 20, 1 << 20);
    assert!(matches!(board.next(), Some(Task::Flush(end)) if end == 4 << 20));
}

#[test]
fn the_last_flush_does_not_wait_for_what_was_made_durable_early() {
    let board = Board::new(pieces(3));
    assert!(board.hand_in(Job::Fill(0..1 << 20)));
    board.done(begin(&board).start, 1 << 20, EARLY);
    let Some(Task::Flush(end)) = board.next() else { panic!() };
    board.flushed(end);
    assert!(board.hand_in(Job::Fill(1 << 20..3 << 20)));
    let last = begin(&board);
    board.all_handed_in();
    board.done(last.start, 2 << 20, 2 << 20);
    assert!(matches!(board.next(), Some(Task::Flush(end)) if end == 3 << 20));
    // meanwhile what is durable is read back
    assert!(matches!(board.next(), Some(Task::Check(piece)) if piece.range.start == 0));
}

#[test]
fn when_all_is_written_and_flushed_all_hands_read_back() {
    let board = Board::new(pieces(3));
    assert!(board.hand_in(Job::Zero(0..1 << 20)) && board.hand_in(Job::Zero(1 << 20..3 << 20)));
    let (first, second) = (begin(&board), begin(&board));
    board.all_handed_in();
    board.done(second.start, 2 << 20, 0);
    assert!(board.locked().choose().is_none(), "the first one is still being written");
    board.done(first.start, 1 << 20, 0);
    let Some(Task::Flush(end)) = board.next() else { panic!() };
    assert!(board.locked().choose().is_none(), "nothing is durable yet, and one flush is enough");
    board.flushed(end);
    for _ in 0..3 {
        assert!(matches!(board.next(), Some(Task::Check(_))));
    }
    assert_eq!(board.wait(Duration::ZERO), (Counts { written: 3 << 20, checked: 0 }, None));
    (0..3).for_each(|_| board.checked(1 << 20));
    assert!(board.next().is_none());
    assert_eq!(board.wait(Duration::ZERO), (Counts { written: 3 << 20, checked: 3 << 20 }, Some(Ok(()))));
}

#[test]
fn what_was_written_before_the_first_job_is_flushed_and_read_back_though_no_job_lies_behind_it() {
    let board = Board::new(pieces(3));
    board.go_on_from(Counts { written: 2 << 20, checked: 0 }, 3 << 20);
    assert!(board.hand_in(Job::Zero(0..1 << 20)));
    board.done(begin(&board).start, 1 << 20, 0);
    board.all_handed_in();
    assert!(matches!(board.next(), Some(Task::Flush(end)) if end == 3 << 20));
    board.flushed(3 << 20);
    for _ in 0..3 {
        assert!(matches!(board.next(), Some(Task::Check(_))));
        board.checked(1 << 20);
    }
    assert_eq!(board.wait(Duration::ZERO), (Counts { written: 3 << 20, checked: 3 << 20 }, Some(Ok(()))));
}

#[test]
fn what_cannot_be_zeroed_by_command_comes_back_in_pieces_and_counts_as_under_way() {
    let board = Board::new(pieces(2));
    assert!(board.hand_in(Job::Zero(0..2 << 20)));
    let whole = begin(&board);
    board.instead(whole.start, vec![Job::Fill(0..1 << 20), Job::Fill(1 << 20..2 << 20)]);
    board.all_handed_in();
    let (first, second) = (begin(&board), begin(&board));
    assert_eq!((first.end, second.start), (1 << 20, 1 << 20));
    board.done(first.start, 1 << 20, 0);
    assert!(board.locked().choose().is_none());
    board.done(second.start, 1 << 20, 1 << 20);
    assert!(matches!(board.next(), Some(Task::Flush(end)) if end == 2 << 20));
}

#[test]
fn the_first_failure_counts_and_ends_all_waiting() {
    let board = Board::new(pieces(9));
    let failure = |what: &str| Failure::new(Code::DiskIo, what);
    std::thread::scope(|scope| {
        let hand = scope.spawn(|| board.next().is_none());
        let feed = scope.spawn(|| (0..).take_while(|at| board.hand_in(Job::Zero(*at..*at + 1))).count());
        std::thread::sleep(Duration::from_millis(20));
        // the hand took one, and waits no more
        let took_one = !hand.join().unwrap();
        board.fail(&failure("first"));
        board.fail(&failure("second"));
        assert_eq!(feed.join().unwrap(), MOST_JOBS + usize::from(took_one));
    });
    assert!(board.next().is_none());
    assert_eq!(board.wait(Duration::from_secs(60)).1, Some(Err(failure("first"))));
}
