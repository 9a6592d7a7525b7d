package import TransferCommon

/// Reads the stored parts of a file that was touched: only their digests tell whether the content is the same.
///
///     from     event                                              to
///     reading  a part has its digest, and others are left         reading
///     reading  the last part has its digest                       same
///     reading  a part has another digest                          other
///     reading  the file changed meanwhile, or cannot be read      failed
///
/// The upload decides what follows from the result: it resumes or completes its session, begins a session for the new
/// version, or ends.
package struct FileVerification: Hashable, Sendable {
    /// What the upload does with the session if the content turns out to be the same.
    package enum Purpose: Hashable, Sendable {
        /// Resume the session, which an earlier run began; parts may be missing.
        case resume
        /// Complete the session, because every part is stored.
        case complete
    }

    /// How far the verification is after a read.
    package enum OnRead: Hashable, Sendable {
        case reading
        case same
        case other
        case failed(UploadFailure)
    }

    /// The stamp of the file when the verification began; every read must find it unchanged.
    package let stamp: FileStamp
    package let purpose: Purpose
    private var unread: [PartNumber]
    /// Parts that the shell is reading.
    package private(set) var beingRead: Set<PartNumber> = []

    /// - Parameter parts: the stored parts, in the order in which they are read.
    package init(of parts: [PartNumber], stamp: FileStamp, for purpose: Purpose) {
        self.unread = parts
        self.stamp = stamp
        self.purpose = purpose
    }

    /// The part to be read next; `nil` if none is left, or if `concurrency` parts are being read already.
    package func next(concurrency: Int) -> PartNumber? {
        beingRead.count < concurrency ? unread.first : nil
    }

    /// Notes that the shell is asked to read the next part.
    package mutating func began(_ number: PartNumber) {
        unread.removeFirst()
        beingRead.insert(number)
    }

    /// Judges a part that the shell has read by its `expected` digest; `nil` for a part that is not being read.
    package mutating func read(_ number: PartNumber, _ reading: PartReading, expected: SHA256Digest?) -> OnRead? {
        guard beingRead.remove(number) != nil else { return nil }
        switch reading {
        case .read(let digest, _, let later):
            guard stamp == later else {
                return .failed(.changedWhileRead)
            }
            guard digest == expected else { return .other }
        case .truncated, .readOfStream:
            return .failed(.cutShortWhileRead)
        case .failed(let failure):
            return .failed(failure)
        }
        return unread.isEmpty && beingRead.isEmpty ? .same : .reading
    }
}
