package import TransferCore

/// A walk's files in its order, several at a time, of which no two have the same key.
package struct FileBatches: Sendable {
    /// What was found, with the key that it would have.
    package struct Candidate: Sendable {
        package var path: String
        /// With the prefix.
        package var key: String
        package var finding: FileWalk.Finding

        package var failure: UploadFailure? {
            if case .refused(let failure) = finding { failure } else { nil }
        }
    }

    private var files: FileWalk
    private let key: String?
    private let prefix: String
    /// The first of the next batch, where the one before had its key.
    private var held: Candidate?

    /// - Parameters:
    ///   - key: of the one file that the walk finds; `nil` for keys by name.
    ///   - prefix: put before every key.
    package init(files: FileWalk, key: String?, prefix: String) {
        self.files = files
        self.key = key
        self.prefix = prefix
    }

    /// The next files, as many as there may be; none at the end.
    package mutating func next(atMost count: Int) -> [Candidate] {
        var batch: [Candidate] = []
        var keys = KeySet()
        while batch.count < count, let candidate = held.take() ?? nextCandidate() {
            guard keys.insert(candidate) else {
                held = candidate
                break
            }
            batch.append(candidate)
        }
        return batch
    }

    /// Counts the files that are left, until the walk is interrupted.
    package mutating func countRest(isInterrupted: @escaping @Sendable () -> Bool) -> NotBegun {
        files.isInterrupted = isInterrupted
        var count = held.take() == nil ? 0 : 1
        while let found = files.next() { if found.finding != .home { count += 1 } }
        return NotBegun(count: count, mayBeMore: files.hasMore)
    }

    private mutating func nextCandidate() -> Candidate? {
        guard let found = files.next() else { return nil }
        var candidate = Candidate(path: found.path, key: key ?? prefix + found.key, finding: found.finding)
        if case .file = found.finding {
            do throws(UploadFailure) {
                try UploadFeeder.check(candidate.key)
            } catch {
                candidate.finding = .refused(error)
            }
        }
        return candidate
    }
}

/// The keys of a batch. Keys are bytes: two spellings of one letter are two keys, though they are one `String`.
struct KeySet {
    private var keys: Set<[UInt8]> = []

    /// - Returns: whether the batch may have this one, too; what is not sent has no key.
    mutating func insert(_ candidate: FileBatches.Candidate) -> Bool {
        guard case .file = candidate.finding else { return true }
        return keys.insert(Array(candidate.key.utf8)).inserted
    }
}
