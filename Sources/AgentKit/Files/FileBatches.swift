package import TransferCore

/// The files that a walk finds, in batches and in the order of the walk. Each file has its key.
package struct FileBatches: Sendable {
    /// A file that the walk found, with its key.
    package struct Candidate: Sendable {
        package var path: String
        /// The key, including the prefix of `push --prefix`.
        package var key: String
        package var finding: FileWalk.Finding

        /// The path of the file, divided into the path that the user named and the path below it.
        var location: FileLocation {
            if case .file(let location) = finding { location } else { FileLocation(root: path) }
        }

        package var failure: UploadFailure? {
            if case .refused(let failure) = finding { failure } else { nil }
        }
    }

    /// The candidates that one call of `next` returns.
    struct Batch: Sendable {
        var candidates: [Candidate]
        /// Whether the batch ended because there was no descriptor for a directory. The next batch tries this directory
        /// again.
        var lacksDescriptor: Bool
    }

    private var files: FileWalk
    private let key: String?
    private let prefix: String

    /// - Parameters:
    ///   - key: key of the only file that the walk finds; `nil` to derive keys from names.
    ///   - prefix: text that is put before every key.
    package init(files: FileWalk, key: String?, prefix: String) {
        self.files = files
        self.key = key
        self.prefix = prefix
    }

    /// What is put before every key; `nil` if the user has chosen the whole key.
    var prefixOfKeys: String? { key == nil ? prefix : nil }

    /// As `FileWalk.specialFiles`.
    package var specialFiles: SpecialFiles { files.specialFiles }

    /// The next files, at most `count`; empty at the end of the walk.
    package mutating func next(atMost count: Int) -> [Candidate] {
        var batch: [Candidate] = []
        while batch.count < count, let candidate = nextCandidate() { batch.append(candidate) }
        return batch
    }

    /// Like `next(atMost:)`, but also reports whether the batch ended early because no file descriptor was free.
    ///
    /// - Parameter waits: whether the batch ends at a directory that needs a free descriptor. Otherwise the walk
    ///   refuses the directory.
    mutating func next(atMost count: Int, waitsForDescriptor waits: Bool) -> Batch {
        files.waitsForDescriptor = waits
        let candidates = next(atMost: count)
        return Batch(candidates: candidates, lacksDescriptor: files.lacksDescriptor)
    }

    /// Counts the remaining files until the walk ends or is interrupted.
    package mutating func countRest(isInterrupted: @escaping @Sendable () -> Bool) -> NotBegun {
        files.isInterrupted = isInterrupted
        var count = 0
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
