import TransferCommon
import WireProtocol

/// The location of a site's objects as an operator writes it: `file:///directory` or `s3://bucket/prefix`.
package enum StoreLocation: Hashable, Sendable {
    /// An absolute path without a slash at its end.
    case file(directory: String)
    /// `prefix` is empty or ends in a slash, so that prefix and key can simply be joined.
    case s3(bucket: String, prefix: String)

    /// Parses a location. Adds or removes a slash at the end; any other deviation is an error.
    package init(parsing text: String) throws(StoreLocationError) {
        guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw StoreLocationError("it contains a control character")
        }
        if let rest = text.removing(prefix: "file:") {
            self = .file(directory: try Self.directory(afterScheme: rest))
        } else if let rest = text.removing(prefix: "s3://") {
            self = try Self.bucket(afterScheme: rest)
        } else {
            throw StoreLocationError("it begins neither with file:/// nor with s3://")
        }
    }

    private static func directory(afterScheme text: String) throws(StoreLocationError) -> String {
        guard let path = text.removing(prefix: "//") else {
            throw StoreLocationError("a directory is written with three slashes, as in file:///var/lib/sluice")
        }
        guard path.utf8.first == ObjectKey.separator else {
            throw StoreLocationError("the directory must be absolute, with three slashes, as in file:///var/lib/sluice")
        }
        guard !hasQueryOrFragment(path) else {
            throw StoreLocationError("a question mark or number sign in a directory is written %3F or %23")
        }
        guard let decoded = decodingPercents(path) else {
            throw StoreLocationError(
                "a per cent sign must be followed by two hexadecimal digits; a literal one is written %25")
        }
        guard !decoded.utf8.contains(0) else { throw StoreLocationError("a path cannot contain a zero byte") }
        let directory = removingSlashesAtEnd(decoded)
        guard !directory.isEmpty else { throw StoreLocationError("it names no directory") }
        return directory
    }

    private static func bucket(afterScheme text: String) throws(StoreLocationError) -> StoreLocation {
        guard !hasQueryOrFragment(text) else {
            throw StoreLocationError("nothing may follow the prefix; options of an S3 store have their own flags")
        }
        let end = text.utf8.firstIndex(of: ObjectKey.separator) ?? text.endIndex
        let bucket = String(text[..<end])
        guard !bucket.isEmpty else { throw StoreLocationError("it names no bucket") }
        let isBucketName = bucket.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isBucketName, bucket.utf8.count <= 255, !bucket.utf8.isDots else {
            throw StoreLocationError("a bucket's name may have only letters, digits, dots, hyphens and underscores")
        }
        let prefix = removingSlashesAtEnd(String(decoding: text.utf8[end...].dropFirst(), as: UTF8.self))
        guard !prefix.isEmpty else { return .s3(bucket: bucket, prefix: "") }
        let isClean = prefix.utf8.split(separator: ObjectKey.separator, omittingEmptySubsequences: false)
            .allSatisfy { !$0.isEmpty && !$0.isDots }
        guard isClean else { throw StoreLocationError("the prefix has an empty segment, or one of dots alone") }
        return .s3(bucket: bucket, prefix: prefix + "/")
    }

    // These functions compare bytes, not characters: a slash or question mark and a combining mark after it form one
    // `Character`, which equals neither of the two.

    /// Removes the slashes at a path's end.
    static func removingSlashesAtEnd(_ text: String) -> String {
        let slashes = text.utf8.reversed().prefix { $0 == ObjectKey.separator }.count
        return String(decoding: text.utf8.dropLast(slashes), as: UTF8.self)
    }

    private static func hasQueryOrFragment(_ text: String) -> Bool {
        text.utf8.contains { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }
    }

    private static func decodingPercents(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard rest.count >= 2, rest.first != UInt8(ascii: "+"), let value = UInt8(digits, radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// The error for a text that is not a store location. The description is one sentence for the operator and does not
/// repeat the text.
package struct StoreLocationError: Error, Hashable, CustomStringConvertible {
    package let description: String

    fileprivate init(_ why: String) {
        self.description =
            "this is not the location of a store, because \(why); a directory is file:///srv/objects, a bucket "
            + "s3://bucket/prefix"
    }
}

extension String {
    fileprivate func removing(prefix: String) -> String? {
        guard utf8.starts(with: prefix.utf8) else { return nil }
        return String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }
}
