package import TransferCommon

// Whether what was seen or read of a file is one version of it that no process is still writing.
//
//   a look finds                                             then
//   the lease refused                                        the file is written: it settles anew
//   another stamp than before, where stamps are comparable   the file is written: it settles anew
//   an announced file, by a marker or a notification         it is ready
//   the stamp old, or the file system without stamps and
//     the same content as before                             it is ready
//   the same stamp, but young                                another look
//   no digest where one is needed                            another look, with a digest
package enum Capture {
    /// What to do after a look at a settling file.
    package enum Verdict: Hashable, Sendable {
        case ready
        /// Look again when the stamp is old enough.
        case lookAgain(after: Duration)
        /// Look again `settle` later, and compare the content with this one.
        case compareLater(SHA256Digest)
        /// Look again at once, with a root digest.
        case hash
        /// The file has changed since the first look, or a process has it open for writing.
        case stillWritten
    }

    /// What the stamps of a read say.
    package enum OnRead: Hashable, Sendable {
        case changed
        /// One version was read, and its stamp distinguishes it from every later one.
        case stampCounts
        /// The stamps do not tell: the content has to be read again and compared.
        case compareContent
    }

    /// A change time of at least this age counts as old, because no file system that stamps has coarser stamps.
    package static let oldSeconds: Int64 = 2

    /// Judges a look at a settling file.
    ///
    /// - Parameters:
    ///   - first: the stamp of the look before, at least `settle` earlier.
    ///   - firstRoot: the content at that look; `nil` if it was not read.
    ///   - isAnnounced: whether a marker or a notification says that the file is finished.
    package static func judge(
        _ look: FileLook, first: FileStamp, firstRoot: SHA256Digest?, isAnnounced: Bool
    ) -> Verdict {
        guard look.lease != .refused else { return .stillWritten }
        if isAnnounced { return .ready }
        guard look.stamp.size == first.size else { return .stillWritten }
        switch look.fileSystem {
        case .stamping:
            guard look.stamp == first else { return .stillWritten }
            guard let systemTime = look.systemTime else { return .ready }
            return isOld(look.stamp, at: systemTime) ? .ready : .lookAgain(after: .seconds(oldSeconds))
        case .local, .shared:
            guard look.fileSystem == .shared || look.stamp == first else { return .stillWritten }
            guard let root = look.root else { return .hash }
            guard let firstRoot else { return .compareLater(root) }
            return root == firstRoot ? .ready : .stillWritten
        }
    }

    /// Judges a file that was read from beginning to end.
    ///
    /// - Parameters:
    ///   - systemTime: the clock behind change times when the reading began; `nil` if it may have been set.
    package static func read(
        before: FileStamp, after: FileStamp, _ fileSystem: FileSystemKind, systemTime: ModificationTime?
    ) -> OnRead {
        guard before == after else { return .changed }
        guard counts(before, fileSystem, systemTime: systemTime) else { return .compareContent }
        return .stampCounts
    }

    /// Whether the stamp distinguishes the version of the file from every later one.
    package static func counts(
        _ stamp: FileStamp, _ fileSystem: FileSystemKind, systemTime: ModificationTime?
    ) -> Bool {
        guard fileSystem == .stamping, let systemTime else { return false }
        return isOld(stamp, at: systemTime)
    }

    private static func isOld(_ stamp: FileStamp, at time: ModificationTime) -> Bool {
        let (moment, overflow) = stamp.change.seconds.addingReportingOverflow(oldSeconds)
        guard !overflow else { return false }
        return (moment, stamp.change.nanoseconds) <= (time.seconds, time.nanoseconds)
    }
}
