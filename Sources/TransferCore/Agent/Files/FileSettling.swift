package import TransferCommon
import WireProtocol

// Whether a file may be sent now, or a process may still be writing it.
//
// Invariants
// - A file is ready only if no process writes it, as far as the system can tell: a read lease was granted, its change
//   time is old, or two looks at least `distance` apart found the same.
// - A clock that may have been set to another time decides nothing: `Look.systemTime` is `nil` then.
// - Files that wait for their second look are bounded by `waitingMax`.
//
//   from       a look finds                                        to
//   unknown    the lease granted, on a local file system           ready
//   unknown    the change time old, where stamps count             ready
//   unknown    the lease refused                                   waiting
//   unknown    no lease, stamps count, the change time young       waiting
//   unknown    no lease, stamps do not count, no digest yet        unknown (the shell hashes and looks again)
//   unknown    no lease, stamps do not count, a digest             waiting
//   waiting    the lease refused                                   stillWritten
//   waiting    another stamp or another digest                     stillWritten
//   waiting    the same stamp, where stamps or the lease count     ready
//   waiting    no digest where one is needed                       waiting (the shell hashes and looks again)
//   waiting    the same digest                                     ready
//   waiting    a digest, and the first look had none               waiting, for a third look
package struct FileSettling: Hashable, Sendable {
    /// Names a file for as long as it waits.
    package typealias FileID = UInt64

    /// The answer of the system to the request for a read lease (fcntl F_SETLEASE).
    package enum Lease: Hashable, Sendable {
        /// No process of this computer has the file open for writing, or mapped.
        case granted
        /// A process has the file open for writing, or mapped.
        case refused
        /// The system grants no lease: the file is another user's, or the file system has no leases.
        case unavailable
    }

    /// Whether a file system shows every write in the stamp, and who may write to it.
    package enum FileSystem: Hashable, Sendable {
        /// Every write shows in the stamp, and every writer is a process of this computer.
        case stamping
        /// Every writer is a process of this computer, but a write need not show in the stamp: FAT, exFAT, tmpfs.
        case local
        /// Another computer may write a file, and the kernel of this computer does not notice that: network file
        /// systems, FUSE, and file systems of unknown type.
        case shared
    }

    /// The result of one look at a file.
    package struct Look: Hashable, Sendable {
        package var stamp: FileStamp
        package var lease: Lease
        package var fileSystem: FileSystem
        /// The time of the clock behind change times; `nil` if that clock may have been set to another time.
        package var systemTime: ModificationTime?
        /// SHA-256 of the content; `nil` if the content has not been read.
        package var digest: SHA256Digest?

        package init(
            stamp: FileStamp, lease: Lease, fileSystem: FileSystem, systemTime: ModificationTime? = nil,
            digest: SHA256Digest? = nil
        ) {
            self.stamp = stamp
            self.lease = lease
            self.fileSystem = fileSystem
            self.systemTime = systemTime
            self.digest = digest
        }

        fileprivate var isLeaseProof: Bool { lease == .granted && fileSystem != .shared }

        /// Whether the stamp distinguishes the file from every later version, because its change time is old.
        package var stampCounts: Bool { isOld }

        fileprivate var isOld: Bool {
            guard fileSystem == .stamping, let systemTime else { return false }
            return stamp.change.isAtLeast(seconds: FileSettling.oldSeconds, before: systemTime)
        }
    }

    /// What to do with a file after a look.
    package enum Verdict: Hashable, Sendable {
        case ready
        /// Hash the content and look again at once.
        case hash
        /// Close the file, and look again at this moment.
        case lookAgain(at: Instant)
        case stillWritten
    }

    /// A change time of at least this age counts as old, because no file system has coarser stamps.
    package static let oldSeconds: Int64 = 2

    private struct Waiting: Hashable {
        var file: FileID
        var due: Instant
    }

    private let distance: Duration
    private let waitingMax: Int
    private var looks: [FileID: Look] = [:]
    /// The waiting files with the moments of their next looks, the earliest first: each file waits equally long, and
    /// new entries are appended.
    private var waiting: [Waiting] = []
    /// How many entries at the front of `waiting` have been taken.
    private var taken = 0

    /// - Parameters:
    ///   - distance: the time between two looks at a file.
    ///   - waitingMax: the number of files that may wait for their second look; at least 1.
    package init(distance: Duration, waitingMax: Int) {
        self.distance = distance
        self.waitingMax = max(waitingMax, 1)
    }

    /// Whether `waitingMax` files wait, so that the shell should not begin with another file now.
    package var isFull: Bool { looks.count >= waitingMax }

    /// When the next file is due; `nil` if none waits.
    package var nextDeadline: Instant? { taken < waiting.count ? waiting[taken].due : nil }

    /// Takes the next file that is due; `nil` if none is. Its next look is compared with the earlier one.
    package mutating func takeDue(now: Instant) -> FileID? {
        guard let next = nextDeadline, next <= now else { return nil }
        defer {
            taken += 1
            // Removing the taken entries one by one would move all others each time, at quadratic cost.
            if taken * 2 > waiting.count {
                waiting.removeFirst(taken)
                taken = 0
            }
        }
        return waiting[taken].file
    }

    /// Forgets a file that could not be looked at again.
    package mutating func forget(_ file: FileID) {
        looks[file] = nil
    }

    /// Judges a look at a file. `file` is the same number for every look at one file, and for no other file.
    package mutating func looked(_ file: FileID, _ look: Look, now: Instant) -> Verdict {
        let verdict = judge(look, after: looks[file], now: now)
        switch verdict {
        case .ready, .stillWritten:
            looks[file] = nil
        case .hash:
            break
        case .lookAgain(let due):
            looks[file] = look
            waiting.append(Waiting(file: file, due: due))
        }
        return verdict
    }

    private func judge(_ look: Look, after earlier: Look?, now: Instant) -> Verdict {
        let again = Verdict.lookAgain(at: now + distance)
        guard let earlier else {
            if look.lease == .refused { return again }
            if look.isLeaseProof || look.isOld { return .ready }
            return look.fileSystem == .stamping || look.digest != nil ? again : .hash
        }
        if look.lease == .refused { return .stillWritten }
        guard look.fileSystem == .shared || look.stamp == earlier.stamp else { return .stillWritten }
        guard look.stamp.size == earlier.stamp.size else { return .stillWritten }
        if look.isLeaseProof || look.fileSystem == .stamping { return .ready }
        guard let digest = look.digest else { return .hash }
        guard let before = earlier.digest else { return again }
        return digest == before ? .ready : .stillWritten
    }
}

extension ModificationTime {
    fileprivate func isAtLeast(seconds age: Int64, before later: ModificationTime) -> Bool {
        let (moment, overflow) = seconds.addingReportingOverflow(age)
        guard !overflow else { return false }
        return (moment, nanoseconds) <= (later.seconds, later.nanoseconds)
    }
}
