package import Foundation
import TransferCommon

/// The golden vectors of the specification (§14), as bytes.
package struct Vectors: Sendable {
    /// One vector of frames.txt, tolerated.txt or malformed.txt.
    struct Stream: Sendable {
        /// The frame's type, or the code with which the frame is refused.
        var kind: String
        var isForAgent: Bool
        var isForGateway: Bool
        var bytes: [UInt8]
    }

    let accepted: [Stream]
    let refused: [Stream]
    /// The values of token.txt, by name.
    let token: [String: String]
    /// The values of receipt.txt, by name.
    let receipt: [String: String]
    let receiptFile: [UInt8]

    /// Reads the files of vectors.
    ///
    /// - Parameter folder: the folder Protocol/vectors of the repository.
    /// - Throws: if a file is missing or differs from the format in §14.
    package init(folder: URL) throws {
        accepted = try ["frames.txt", "tolerated.txt"].flatMap { file in
            try Self.rows(folder, file).map { try Self.stream($0, kind: String($0[0].prefix { $0 != ":" })) }
        }
        refused = try Self.rows(folder, "malformed.txt").map { try Self.stream($0, kind: $0[3]) }
        // Only the fields of metadata occur more than once, and no target looks them up.
        token = Dictionary(
            try Self.rows(folder, "token.txt").map { ($0[0], $0[1]) }, uniquingKeysWith: { first, _ in first })
        receipt = Dictionary(
            uniqueKeysWithValues: try Self.rows(folder, "receipt.txt").map { ($0[0], $0[1]) })
        receiptFile = Array(try Data(contentsOf: folder.appending(path: "receipt-file.txt")))
    }

    private static func rows(_ folder: URL, _ file: String) throws -> [[String]] {
        let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
            $0.split(separator: " | ", omittingEmptySubsequences: false).map(String.init)
        }
    }

    private static func stream(_ row: [String], kind: String) throws -> Stream {
        guard row.count == 4, let bytes = bytesOfHexadecimal(row[2]) else { throw FuzzFinding("vector \(row[0])") }
        return Stream(kind: kind, isForAgent: row[1] != "A→G", isForGateway: row[1] != "G→A", bytes: bytes)
    }
}

/// Turns a text into a file name of lower-case letters, digits and hyphens.
func fileName(_ text: String) -> String {
    String(text.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" })
}
