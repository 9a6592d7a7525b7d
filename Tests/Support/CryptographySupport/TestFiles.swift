package import Foundation
package import SeededRandom
import Testing

extension URL {
    /// The path of a directory, without a slash at its end.
    package var directoryPath: String {
        let path = path(percentEncoded: false)
        return path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// The path of a file in this directory.
    package func file(_ name: String) -> String { "\(directoryPath)/\(name)" }

    /// The names of all files and folders in this directory, sorted.
    package func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directoryPath).sorted()
    }
}

/// The permission bits of a file.
package func mode(of path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? NSNumber).intValue
}

package func setMode(_ mode: Int, of path: String) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
}

package func contents(of path: String) throws -> [UInt8] {
    // Unlike `Data(contentsOf:)`, `FileHandle` leaks no memory for an empty file. The address sanitizer would report
    // such a leak.
    let file = try FileHandle(forReadingFrom: URL(filePath: path))
    let bytes = try file.readToEnd()
    try file.close()
    return Array(bytes ?? Data())
}

package func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(filePath: path))
}

extension SeededGenerator {
    package mutating func bytes(count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }
}
