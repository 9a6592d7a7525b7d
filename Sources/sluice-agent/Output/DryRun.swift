package import AgentKit
import CommandSupport
import FoundationEssentials
import Logging
import SystemSupport
import TransferCommon
package import TransferCore

/// Finds out what a push would do, without a gateway and without reading file content.
package struct DryRun {
    /// What a push would do.
    package enum Plan: Equatable, Sendable {
        /// Send a file, or a stream if `bytes` is `nil`.
        case send(path: String, key: String, bytes: UInt64?)
        case refuse(path: String, key: String, UploadFailure)
        /// Leave a file or directory out.
        ///
        /// - Parameter bytes: the bytes of the path if it is not UTF-8.
        case leaveOut(path: String, bytes: [UInt8]?, reason: String)
        /// Advice about the keys.
        case note(String)
        /// A sentence about all files.
        case remark(String)
        /// The sums. They are the last plan.
        ///
        /// - Parameter bytes: bytes that would be sent; `nil` for a stream.
        case sums(files: Int, failed: Int, bytes: UInt64?)
    }

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

    /// Looks at all files, and prints what a push would do with each of them.
    ///
    /// - Returns: the exit code, as the other method.
    package func run(asJSON isJSON: Bool, _ print: (String) -> Void) -> Int32 {
        guard isJSON else { return run { $0.lines.forEach(print) } }
        // try?: without the journal the plan has no whole keys. A push would report what is wrong with the journal.
        let site = try? AgentJournal.site(of: home, logger: ProgramLog.make(label: "sluice-agent", level: .warning))
        return run { print($0.json(at: site)) }
    }

    /// Looks at all files.
    ///
    /// - Parameter observe: called with the plan for each file, and then with the sums.
    /// - Returns: exit code 0 if all files can be sent, otherwise the exit code that the push would have because of the
    ///   files that cannot be sent.
    package func run(_ observe: (Plan) -> Void) -> Int32 {
        switch work {
        case .push(let paths, let key?, _, _) where paths == [SourceStream.path]:
            return run(stream: SourceStream.path, key: key, observe)
        case .pushOutput(let command, let key):
            return run(stream: command.joined(separator: " "), key: key, observe)
        case .push(let paths, let key, let prefix, let filter):
            let files = FileWalk(paths: paths, filter: filter, home: FileIdentity(of: home.path))
            let batches = FileBatches(files: files, key: key, prefix: prefix)
            return run(batches, key == nil ? paths : [], prefix, observe)
        case .unfinished, .orders, .check:
            return ProgramExit.success.rawValue
        }
    }

    private func run(stream path: String, key: String, _ observe: (Plan) -> Void) -> Int32 {
        observe(.send(path: path, key: key, bytes: nil))
        observe(.sums(files: 1, failed: 0, bytes: nil))
        return ProgramExit.success.rawValue
    }

    private func run(
        _ files: FileBatches, _ paths: [String], _ prefix: String, _ observe: (Plan) -> Void
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
                    observe(.leaveOut(path: found.path, bytes: nil, reason: UploadFeeder.homeNote))
                    continue
                }
                let size = try SourceFile.open(location).trueSize()
                try UploadFeeder.check(size: size, expected: expectedBytes)
                summary.files += 1
                summary.bytes = summary.bytes.addingReportingOverflow(size).overflow ? .max : summary.bytes + size
                firstKey = firstKey ?? found.key
                observe(.send(path: found.path, key: found.key, bytes: size))
            } catch {
                let figures = UploadProgress(size: 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
                summary.add(.failed(error), figures, path: found.path, key: found.key)
                observe(.refuse(path: found.path, key: found.key, error))
            }
        }
        let special = batches.specialFiles
        for (number, path) in special.paths.enumerated() {
            let reason = "a FIFO, socket, device or symbolic link"
            observe(.leaveOut(path: path, bytes: special.pathBytes[number], reason: reason))
        }
        if let sentence = special.sentence { observe(.remark(sentence)) }
        if let firstKey {
            let advice = [
                KeyAdvice.sentence(prefix: prefix, firstKey: firstKey),
                KeyAdvice.sentence(aboutDirectories: paths, prefix: prefix),
            ]
            for sentence in advice.compactMap(\.self) { observe(.note(sentence)) }
        }
        if summary.files == 0 { observe(.remark(special.sentenceIfNothingIsSent)) }
        observe(.sums(files: summary.files, failed: summary.failed, bytes: summary.bytes))
        return summary.exitCode
    }
}

// MARK: Output

extension DryRun.Plan {
    /// The plan as lines for people.
    package var lines: [String] {
        switch self {
        case .send(SourceStream.path, let key, nil): ["would send standard input → \(key)"]
        case .send(let path, let key, nil): ["would send the output of \(path) → \(key)"]
        case .send(let path, let key, let bytes?):
            ["would send  \(ReadableQuantity.size(bytes))  \(path) → \(key)"]
        case .refuse(let path, _, let failure): ["cannot send  \(path): \(failure.cause)"]
        case .leaveOut(let path, _, let reason): ["leaves out  \(path): \(reason)"]
        case .note(let sentence): ["note: \(sentence)"]
        case .remark(let sentence): [sentence]
        case .sums(_, _, nil): []
        case .sums(let files, let failed, let bytes?):
            [
                "\(counted(files - failed, "file")), \(ReadableQuantity.size(bytes)) in all"
                    + (failed > 0 ? "; \(counted(failed, "file")) cannot be sent" : "")
            ]
        }
    }

    /// The plan as a line of JSON.
    ///
    /// - Parameter site: the device's prefix; `nil` if no gateway has named it.
    package func json(at site: DeviceSite?) -> String {
        func planned(
            _ path: String, _ bytes: [UInt8]?, key: String = "", _ action: String, size: UInt64? = nil,
            _ message: String? = nil
        ) -> String {
            JSONObject<PlannedFields>([
                .path: .string(path), .pathBytes: bytes.map { .base64($0) },
                .key: key.isEmpty ? nil : site.map { .string($0.wholeKey(key)) },
                .relativeKey: key.isEmpty ? nil : .string(key), .action: .string(action),
                .size: size.map { .count($0) }, .message: message.map { .string($0) },
            ]).line
        }
        switch self {
        case .send(let path, let key, let size):
            return planned(path, nil, key: key, PlannedFields.send, size: size)
        case .refuse(let path, let key, let failure):
            let bytes = failure.pathBytes.isEmpty ? nil : failure.pathBytes
            // A path that is not UTF-8 has no key.
            return planned(path, bytes, key: bytes == nil ? key : "", PlannedFields.refuse, failure.cause)
        case .leaveOut(let path, let bytes, let reason):
            return planned(path, bytes, PlannedFields.leaveOut, reason)
        case .note(let sentence), .remark(let sentence):
            return JSONObject<NoteFields>([.text: .string(sentence)]).line
        case .sums(let files, let failed, let bytes):
            return JSONObject<PlanSummaryFields>([
                .files: .count(files), .failed: .count(failed), .bytes: .count(bytes ?? 0),
            ]).line
        }
    }
}
