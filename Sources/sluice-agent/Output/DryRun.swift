package import AgentKit
import FoundationEssentials
import TransferCore

/// Prints what a push would do, without a gateway and without reading file content.
package struct DryRun {
    private let work: Uploader.Work
    private let expectedBytes: UInt64?
    private let home: AgentHome

    /// - Parameters:
    ///   - work: a push.
    ///   - expectedBytes: the required size of the file; `Uploader.Configuration.expectedBytes`.
    ///   - home: the agent's home.
    package init(_ work: Uploader.Work, expectedBytes: UInt64?, home: AgentHome) {
        self.work = work
        self.expectedBytes = expectedBytes
        self.home = home
    }

    /// Prints one line for each file and a summary.
    ///
    /// - Returns: exit code 0 if all files can be sent, otherwise the exit code that the push would have because of the
    ///   files that cannot be sent.
    package func run(_ print: (String) -> Void) -> Int32 {
        switch work {
        case .push(let paths, let key?, _, _) where paths == [SourceStream.path]:
            print("would send standard input → \(key)")
            return 0
        case .pushOutput(let command, let key):
            print("would send the output of \(command.joined(separator: " ")) → \(key)")
            return 0
        case .push(let paths, let key, let prefix, let filter):
            let files = FileWalk(paths: paths, filter: filter, home: FileIdentity(of: home.path))
            return run(FileBatches(files: files, key: key, prefix: prefix), key == nil ? paths : [], prefix, print)
        case .unfinished, .check:
            return 0
        }
    }

    private func run(
        _ files: FileBatches, _ paths: [String], _ prefix: String, _ print: (String) -> Void
    ) -> Int32 {
        var batches = files
        var summary = RunSummary()
        var firstKey: String?
        while let found = batches.next(atMost: 1).first {
            do throws(UploadFailure) {
                let location: FileLocation
                switch found.finding {
                case .file(let place): location = place
                case .refused(let failure): throw failure
                case .home:
                    print("leaves out  \(found.path): \(UploadFeeder.homeNote)")
                    continue
                }
                let size = try SourceFile.open(location).trueSize()
                try UploadFeeder.check(size: size, expected: expectedBytes)
                summary.files += 1
                summary.bytes += size
                firstKey = firstKey ?? found.key
                print("would send  \(ReadableQuantity.size(size))  \(found.path) → \(found.key)")
            } catch {
                summary.files += 1
                summary.failures.append(.init(path: found.path, key: found.key, failure: error))
                print("cannot send  \(found.path): \(error.cause)")
            }
        }
        for path in batches.specialFiles.paths { print("leaves out  \(path): a FIFO, socket, device or symbolic link") }
        if let sentence = batches.specialFiles.sentence { print(sentence) }
        if let firstKey {
            let advice = [
                KeyAdvice.sentence(prefix: prefix, firstKey: firstKey),
                KeyAdvice.sentence(aboutDirectories: paths, prefix: prefix),
            ]
            for sentence in advice.compactMap(\.self) { print("note: \(sentence)") }
        }
        if summary.files == 0 { print(batches.specialFiles.sentenceIfNothingIsSent) }
        let count = summary.files - summary.failures.count
        print("\(counted(count, "file")), \(ReadableQuantity.size(summary.bytes)) in all")
        return summary.exitCode
    }
}
