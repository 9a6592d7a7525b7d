import TransferCommon
import TransferCore
import WireProtocol

extension FuzzTarget {
    /// The rule that decides which keys a device may write. The first byte of the input is the length of the prefix.
    /// The prefix follows, and then the key.
    package static let keys = FuzzTarget(name: "keys", inputBytesMax: 1_400) { input in
        var input = FuzzInput(input)
        let prefix = String(decoding: input.bytes(Int(input.byte())), as: UTF8.self)
        let key = String(decoding: input.rest, as: UTF8.self)
        try expectPrefixIsAKey(prefix)
        guard KeyRule.isPrefix(prefix) else { return }
        let whole: String
        do throws(KeyRule.Refusal) {
            whole = try KeyRule.wholeKey(prefix: prefix, key: key)
        } catch {
            return try expect(!error.message.isEmpty, "a refusal without a reason")
        }
        try expect(whole.utf8.elementsEqual(Array(prefix.utf8) + Array(key.utf8)), "the key was changed")
        try expect((1...KeyRule.keyBytesMax).contains(whole.utf8.count), "\(whole.utf8.count) bytes")
        try expectStays(under: prefix, whole)
        // Some readers decode the key once, as a part of a URL. The path that they see must lie under the prefix too.
        try expectStays(under: decoded(prefix), decoded(whole))
        try expect(!decoded(whole).utf8.starts(with: KeyRule.reservedPrefix.utf8), "it is the gateway's own")
        try expect(whole.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }, "a stray byte")
    } seeds: { _ in
        let keys = [
            "file", "camera/2026-01-01.mp4", "a//b", "/a", "a/", "..", "a/../b", "a/.", ".sluice/x", ".sluice", "..a",
            "a\\b", "a%2fb", "a%2Fb", "a%5cb", "a%00b", "%", "%2", "%2e%2E/x", "%2Esluice/x", "e\u{301}", "\u{600}/x",
            "a b", "a\u{7F}", "\u{1}",
        ]
        let prefixes = ["", "cam/", "a/b/", "\u{e9}/", "\u{600}/", ".sluic/"]
        var seeds: [String: [UInt8]] = [:]
        for (place, prefix) in prefixes.enumerated() {
            for (index, key) in keys.enumerated() where (index + place).isMultiple(of: prefixes.count) {
                seeds["\(place)-\(index)"] = [UInt8(prefix.utf8.count)] + prefix.utf8 + key.utf8
            }
        }
        return seeds
    }
}

/// A prefix is valid exactly if it is a valid key followed by a slash. The check works on bytes.
private func expectPrefixIsAKey(_ prefix: String) throws(FuzzFinding) {
    guard !prefix.isEmpty else { return }
    var isKey = false
    if prefix.utf8.last == UInt8(ascii: "/"), let key = String(validating: prefix.utf8.dropLast(), as: UTF8.self) {
        do throws(KeyRule.Refusal) {
            _ = try KeyRule.wholeKey(prefix: "", key: key)
            isKey = true
        } catch {
            // The key is invalid. The check below requires that the prefix is invalid too.
        }
    }
    try expect(isKey == KeyRule.isPrefix(prefix), "a prefix is judged otherwise than its key")
}

/// Follows the segments of the path as a file system would.
private func expectStays(under prefix: String, _ path: String) throws(FuzzFinding) {
    var folders: [[UInt8]] = []
    for segment in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init) {
        try expect(!segment.isEmpty, "an empty segment")
        try expect(segment != Array(".".utf8) && segment != Array("..".utf8), "a segment of dots")
        folders.append(segment)
    }
    let top = prefix.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
    try expect(folders.starts(with: top) && folders.count > top.count, "it leaves the prefix")
}

/// Decodes once. A backslash becomes a slash, because some systems treat it as one.
private func decoded(_ text: String) -> String {
    var result = text
    for (encoded, plain) in [("%2f", "/"), ("%2F", "/"), ("%5c", "/"), ("%5C", "/"), ("%2e", "."), ("%2E", ".")] {
        result = result.split(separator: encoded, omittingEmptySubsequences: false).joined(separator: plain)
    }
    return result
}
