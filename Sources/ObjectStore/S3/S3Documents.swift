import Foundation
import XMLCoder

/// The XML that stores answer with, as far as it is read. All fields are texts that may be missing: a store that
/// writes a number or a Boolean its own way is not thereby unreadable.
enum S3Documents {
    /// The answer to CreateMultipartUpload.
    struct Created: Decodable {
        static let root = "InitiateMultipartUploadResult"
        var UploadId: String?
    }

    /// The answer to CompleteMultipartUpload.
    struct Completed: Decodable {
        static let root = "CompleteMultipartUploadResult"
        var ETag: String?
        var ChecksumSHA256: String?
    }

    /// The answer to ListParts.
    struct Parts: Decodable {
        static let root = "ListPartsResult"

        struct Part: Decodable {
            var PartNumber: String?
            var LastModified: String?
            var ETag: String?
            var Size: String?
            var ChecksumSHA256: String?
        }

        var IsTruncated: String?
        var NextPartNumberMarker: String?
        var Part: [Part]?
    }

    /// The answer to ListMultipartUploads.
    struct Uploads: Decodable {
        static let root = "ListMultipartUploadsResult"

        struct Upload: Decodable {
            var Key: String?
            var UploadId: String?
            var Initiated: String?
        }

        var EncodingType: String?
        var IsTruncated: String?
        var NextKeyMarker: String?
        var NextUploadIdMarker: String?
        var Upload: [Upload]?
    }

    /// The answer to ListObjectsV2.
    struct Objects: Decodable {
        static let root = "ListBucketResult"

        struct Object: Decodable {
            var Key: String?
        }

        var EncodingType: String?
        var IsTruncated: String?
        var Contents: [Object]?
    }

    /// What goes wrong, with any status, 200 included.
    struct Failure: Decodable {
        static let root = "Error"
        var Code: String?
        var Message: String?
        var Region: String?
    }
}

/// Reads an answer's XML.
enum S3XML {
    /// The name of the outermost element, without its prefix, or `nil` where there is none.
    ///
    /// Whitespace may stand before everything: stores send it to keep a connection alive while they work.
    static func root(of bytes: [UInt8]) -> String? {
        var rest = trimmed(bytes)
        while rest.first == UInt8(ascii: "<") {
            rest = rest.dropFirst()
            guard let first = rest.first else { return nil }
            if first == UInt8(ascii: "?") || first == UInt8(ascii: "!") {
                // A declaration or a comment. One with an angle bracket inside is not worth understanding.
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return nil }
                rest = trimmed(rest[rest.index(after: end)...])
                continue
            }
            let name = rest.prefix { byte in
                !isSpace(byte) && byte != UInt8(ascii: ">") && byte != UInt8(ascii: "/")
            }
            guard let text = String(validating: name, as: UTF8.self), !text.isEmpty else { return nil }
            return text.split(separator: ":").last.map(String.init)
        }
        return nil
    }

    /// - Returns: `nil` where the bytes are not a whole document of this kind.
    static func decode<Value: Decodable>(_ type: Value.Type, root: String, from bytes: [UInt8]) -> Value? {
        guard self.root(of: bytes) == root else { return nil }
        let decoder = XMLDecoder()
        decoder.shouldProcessNamespaces = true
        // Whoever gets nil says that the answer makes no sense; the parser's error would add only its position.
        return try? decoder.decode(type, from: Data(trimmed(bytes)))
    }

    /// The text as the content of an element.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\r": result += "&#13;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private static func trimmed(_ bytes: some BidirectionalCollection<UInt8>) -> ArraySlice<UInt8> {
        var rest = Array(bytes)[...]
        while let first = rest.first, isSpace(first) { rest = rest.dropFirst() }
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        while let last = rest.last, isSpace(last) || last == 0 { rest = rest.dropLast() }
        return rest
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
