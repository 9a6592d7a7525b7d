package import Foundation

/// The files of this repository, for tests that compare the code with a page, a vector or another source.
package enum RepositoryFiles {
    /// The folder that holds the manifest.
    package static let root: URL = {
        var folder = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        while folder.pathComponents.count > 1, !exists(folder.appending(path: "Package.swift")) {
            folder = folder.deletingLastPathComponent()
        }
        return folder
    }()

    /// The URL of a file.
    ///
    /// - Parameter path: path of the file from the root of the repository.
    package static func url(of path: String) -> URL { root.appending(path: path) }

    /// The content of a file.
    ///
    /// - Parameter path: path of the file from the root of the repository.
    /// - Throws: an error of Foundation if the file is missing or is not UTF-8.
    package static func text(of path: String) throws -> String {
        try String(contentsOf: url(of: path), encoding: .utf8)
    }

    private static func exists(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.path(percentEncoded: false))
    }
}
