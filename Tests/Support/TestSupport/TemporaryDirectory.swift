package import Foundation

/// Runs `body` with a new empty directory, and always removes the directory with its content.
/// - Parameter purpose: a word in the directory's name that identifies the test.
package func withTemporaryDirectory<Success>(
    _ purpose: String = "test", _ body: (URL) async throws -> Success
) async throws -> Success {
    let directory = FileManager.default.temporaryDirectory
        .appending(path: "sluice-\(purpose)-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(
        at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let result: Result<Success, any Error>
    do {
        result = .success(try await body(directory))
    } catch {
        result = .failure(error)
    }
    for attempt in 1...5 {
        do {
            try removeTree(directory)
            break
        } catch let error as CocoaError {
            // Another process removed a file during the removal; try again.
            let isGone = [.fileNoSuchFile, .fileReadNoSuchFile].contains(error.code)
            guard isGone, attempt < 5 else { throw error }
        }
    }
    return try result.get()
}

/// Removes a directory, even if a test has removed write permissions inside.
private func removeTree(_ directory: URL) throws {
    let manager = FileManager.default
    let entries = manager.enumerator(at: directory, includingPropertiesForKeys: [.isDirectoryKey])
    while let entry = entries?.nextObject() as? URL {
        // `isDirectory` is false for symbolic links, also for links to directories.
        if try entry.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true {
            try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: entry.path(percentEncoded: false))
        }
    }
    try manager.removeItem(at: directory)
}
