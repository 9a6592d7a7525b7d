package import Foundation

/// Makes an empty directory of its own, hands it to `body`, and removes it with all that is in it, whatever happens.
/// - Parameter purpose: a word that tells the directories of different tests apart while they exist.
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
            // Something that was just being closed has removed a file of its own meanwhile.
            let isGone = [.fileNoSuchFile, .fileReadNoSuchFile].contains(error.code)
            guard isGone, attempt < 5 else { throw error }
        }
    }
    return try result.get()
}

/// Removes a directory even where a test took away the right to write in it.
private func removeTree(_ directory: URL) throws {
    let manager = FileManager.default
    let entries = manager.enumerator(at: directory, includingPropertiesForKeys: [.isDirectoryKey])
    while let entry = entries?.nextObject() as? URL {
        // A link is none, even to a directory.
        if try entry.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true {
            try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: entry.path(percentEncoded: false))
        }
    }
    try manager.removeItem(at: directory)
}
