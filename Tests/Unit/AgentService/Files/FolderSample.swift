import AgentKit
import AgentService
import Cryptography
import FolderCore
import Foundation
import TestSupport
import Testing
import TransferCommon

/// A folder on the disk, and beside it a directory for moved files.
struct FolderSample: Sendable {
    let directory: String
    var root: String { directory + "/folder" }
    var moved: String { directory + "/moved" }
    let files: FolderFiles

    /// Runs `body` with a new folder.
    ///
    /// - Parameter purpose: a directory on another file system, if the test needs one.
    static func with(
        _ names: FolderNames = FolderNames(), calls: FolderCalls = FolderCalls(), moves: Bool = false,
        _ body: (FolderSample) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("folder") { url in
            let directory = url.path(percentEncoded: false).withoutSlash
            try #require(mkdir(directory + "/folder", 0o700) == 0 && mkdir(directory + "/moved", 0o700) == 0)
            let files = try FolderFiles(
                root: directory + "/folder", movedTo: moves ? directory + "/moved" : nil, names: names,
                home: directory + "/folder/home", clock: FileClock(path: directory + "/clock"), calls: calls)
            try await body(FolderSample(directory: directory, files: files))
        }
    }

    /// The calls of a kernel without `openat2` and without `RENAME_NOREPLACE`.
    static var olderCalls: FolderCalls {
        var calls = FolderCalls()
        calls.opensBeneath = false
        calls.renamesIfAbsent = false
        return calls
    }

    /// Writes a file below the folder. Makes missing directories.
    @discardableResult
    func write(_ path: String, _ text: String = "content") throws -> FileStamp {
        let url = URL(filePath: root + "/" + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
        return try stamp(path)
    }

    /// The text of a file below the folder; `nil` if the file is missing.
    func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: root + "/" + path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The text of a file below the directory for moved files; `nil` if the file is missing.
    func movedText(_ path: String) -> String? {
        FileManager.default.contents(atPath: moved + "/" + path).map { String(decoding: $0, as: UTF8.self) }
    }

    func stamp(_ path: String) throws -> FileStamp {
        var status = stat()
        try #require(lstat(root + "/" + path, &status) == 0, "\(path) is missing")
        return FileStamp(status)
    }

    /// All entries that a scan reports, by their paths, and the failure.
    func scan() -> (entries: [ItemPath: ScanEntry], failure: String?) {
        var entries: [ItemPath: ScanEntry] = [:]
        let failure = files.scan { batch in
            for entry in batch { entries[entry.path] = entry }
            return true
        }
        return (entries, failure)
    }

    /// The paths that a scan reports, sorted.
    func paths() -> [String] { scan().entries.keys.map(\.text).sorted() }

    /// Repeats a step until the kernel grants the read lease. When another test starts a program, the new process holds
    /// copies of all descriptors for a moment, and the kernel refuses the lease until it has closed them.
    func performUntilLeased(_ step: RemovalStep) async throws -> RemovalAnswer {
        while true {
            let answer = files.perform(step)
            guard case .found(_, let lease, _) = answer, lease != .granted else { return answer }
            // No event reports that a process has closed its copies. The test's time limit ends the loop.
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

/// The root digest of a text.
func rootDigest(of text: String, partBytes: Int) throws -> SHA256Digest {
    let bytes = Array(text.utf8)
    var digests = try stride(from: 0, to: bytes.count, by: partBytes).map {
        try SHA256Digest.of(bytes[$0..<min($0 + partBytes, bytes.count)])
    }
    if digests.isEmpty { digests = [try SHA256Digest.of([])] }
    return try RootDigest.of(digests)
}

extension String {
    /// The path without the slash at its end.
    fileprivate var withoutSlash: String { utf8.last == UInt8(ascii: "/") ? String(dropLast()) : self }
}
