import FoundationEssentials
import TransferCore

/// What a push would do, told without a gateway and without reading a file.
package struct DryRun {
    private let walk: FileWalk
    private let key: String?
    private let prefix: String

    /// The same as of `Uploader.Work.push`.
    package init(paths: [String], key: String?, prefix: String, filter: FileFilter) {
        self.walk = FileWalk(paths: paths, filter: filter)
        self.key = key
        self.prefix = prefix
    }

    /// Prints a line per file and one of sums.
    ///
    /// - Returns: the exit code: 0, or that of the files that could not be sent.
    package func run(_ print: (String) -> Void) -> Int32 {
        if let key, walk.names(SourceStream.path) {
            print("would send standard input → \(key)")
            return 0
        }
        var summary = RunSummary()
        for found in walk {
            let key = key ?? prefix + found.key
            do throws(UploadFailure) {
                if let failure = found.failure { throw failure }
                try UploadFeeder.check(key)
                let size = try SourceFile.open(found.path).stamp().size
                summary.files += 1
                summary.bytes += size
                print("would send  \(ProgressLines.size(size))  \(found.path) → \(key)")
            } catch {
                summary.files += 1
                summary.failures.append(.init(path: found.path, key: key, failure: error))
                print("cannot send  \(found.path): \(error.message)")
            }
        }
        print("\(summary.files - summary.failures.count) files, \(ProgressLines.size(summary.bytes)) in all")
        return summary.exitCode
    }
}
