// Package sqlitestore keeps all of Parley's state in one SQLite file: queues with
// their dead letters, memory, cases, deliveries and quotas. It is the store of an
// installation on one machine, behind the same interfaces as the services of AWS,
// and passes the same suites.
//
// What it promises: a write that returned nil is on the disk; it survives the end
// of the process and of the power. That a message is hidden is kept in memory and
// ends with the process, so that a restart delivers again at once. That it was
// received is on record before the receiver sees it, and outlives the process; a
// loss of power may take that record away, but never one that any later write of
// the store came after (see tally).
//
// How it is quick: one connection writes, by turns. What gathers while the disk is
// busy becomes one transaction, so that many writes share one sync. Each runs
// under a savepoint, so that they fail one by one. Receiving writes no
// transaction. Reads go past all that, to a pool of read-only connections.
//
// One process serves a file at a time: it alone may receive, and a second one is
// refused. Others may open the file beside it to send, to read, to swap records
// and to work on dead letters; the serving process notices what they sent within
// about 100 ms.
//
// Beside the file FILE there are SQLite's own FILE-wal and FILE-shm, and of the
// serving process FILE-lock and FILE-tally. A copy of a file in use needs SQLite's
// backup or the -wal file too.
//
// It is not a server, not a cache, and no place for a file on a network share:
// SQLite's locks and its shared memory need a local disk.
package sqlitestore
