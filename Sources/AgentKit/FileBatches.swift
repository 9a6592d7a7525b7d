package import TransferCore

/// A walk's files in its order, several at a time, of which no two have the same key.
package struct FileBatches: Sendable {
    /// A file that was found, or why it cannot be sent.
    package struct Candidate: Sendable {
        package var path: String
        /// With the prefix.
        package var key: String
        package var failure: UploadFailure?
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
        var keys: Set<String> = []
        while batch.count < count, let candidate = held.take() ?? nextCandidate() {
            guard keys.insert(candidate.key).inserted else {
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
        while files.next() != nil { count += 1 }
        return NotBegun(count: count, mayBeMore: files.hasMore)
    }

    private mutating func nextCandidate() -> Candidate? {
        guard let found = files.next() else { return nil }
        var candidate = Candidate(path: found.path, key: key ?? prefix + found.key, failure: found.failure)
        if candidate.failure == nil {
            do throws(UploadFailure) {
                try UploadFeeder.check(candidate.key)
            } catch {
                candidate.failure = error
            }
        }
        return candidate
    }
}
