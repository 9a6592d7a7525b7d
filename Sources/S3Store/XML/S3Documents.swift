import Foundation
import TransferCommon
import WireProtocol
import XMLCoder

/// The XML answers of stores, with only the fields that Sluice reads. Every field is an optional text: if a store
/// writes a number or a Boolean in an unusual form, the rest of the answer stays readable.
package enum S3Documents {
    /// The answer to CreateMultipartUpload.
    package struct Created: S3Document {
        package static let roots = ["InitiateMultipartUploadResult"]
        var uploadId: String?
    }

    /// The answer to CompleteMultipartUpload.
    package struct Completed: S3Document {
        package static let roots = ["CompleteMultipartUploadResult"]
        var eTag: String?
        var checksumSHA256: String?
    }

    /// The answer to ListParts.
    package struct Parts: S3Document {
        // The S3 simulator moto uses the second name.
        package static let roots = ["ListPartsResult", "ListPartsResponse"]

        struct Part: Decodable {
            var partNumber: String?
            var lastModified: String?
            var eTag: String?
            var size: String?
            var checksumSHA256: String?
        }

        var isTruncated: String?
        var nextPartNumberMarker: String?
        var part: [Part]?
    }

    /// The answer to ListMultipartUploads.
    package struct Uploads: S3Document {
        package static let roots = ["ListMultipartUploadsResult"]

        struct Upload: Decodable {
            var key: String?
            var uploadId: String?
            var initiated: String?
        }

        var encodingType: String?
        var isTruncated: String?
        var nextKeyMarker: String?
        var nextUploadIdMarker: String?
        var upload: [Upload]?
    }

    /// The answer to ListObjectsV2.
    package struct Objects: S3Document {
        package static let roots = ["ListBucketResult"]

        struct Object: Decodable {
            var key: String?
        }

        var encodingType: String?
        var isTruncated: String?
        var contents: [Object]?
    }

    /// An error answer, with any status, including 200.
    package struct Failure: S3Document {
        package static let roots = ["Error"]
        package var code: String?
        var message: String?
        var region: String?
    }

    static func isTrue(_ text: String?) -> Bool {
        text == "true" || text == "True" || text == "1"
    }

    /// Decodes a key of a listing with `encoding-type=url`. A plus sign becomes a space, because some stores write a
    /// space as `+` and others as `%20`.
    ///
    /// - Returns: `nil` if a percent sign is not followed by two digits, or if the bytes are not UTF-8.
    package static func decoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"):
                bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard let value = bytesOfHexadecimal(digits)?.first else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            default:
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// An XML answer. The name of its root element identifies its kind.
package protocol S3Document: Decodable {
    /// The possible names of the root element.
    static var roots: [String] { get }
}

/// Reads the XML of answers.
package enum S3XML {
    /// The name of the root element without its prefix, or `nil` if there is none.
    ///
    /// Whitespace may precede the document: stores send it to keep a connection open while they work.
    package static func root(of bytes: [UInt8]) -> String? {
        var rest = trimmed(bytes)
        while rest.first == UInt8(ascii: "<") {
            rest = rest.dropFirst()
            guard let first = rest.first else { return nil }
            if first == UInt8(ascii: "?") || first == UInt8(ascii: "!") {
                // Skip a declaration or a comment. Declarations and comments that contain ">" are not supported.
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

    /// - Returns: `nil` if the bytes are not a complete document of this kind.
    package static func decode<Value: S3Document>(_ type: Value.Type, from bytes: [UInt8]) -> Value? {
        guard let root = root(of: bytes), Value.roots.contains(root) else { return nil }
        // Foundation's parser ends the process if a name is not UTF-8, so only UTF-8 is accepted. A document type
        // declaration is refused, too, because no store needs one.
        guard let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains("<!DOCTYPE".utf8) else {
            return nil
        }
        let decoder = XMLDecoder()
        decoder.shouldProcessNamespaces = true
        decoder.keyDecodingStrategy = .convertFromCapitalized
        // Turn trimming off: the decoder would trim each piece of a text separately and so lose spaces in the middle of
        // the text. Remove only the whitespace between elements.
        decoder.trimValueWhitespaces = false
        decoder.removeWhitespaceElements = true
        // try?: the caller reports an invalid answer; the parser's error would add only its position.
        return try? decoder.decode(type, from: Data(trimmed(bytes)))
    }

    /// Escapes text for use as an element's content.
    package static func escaped(_ text: String) -> String {
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
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
        return rest
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
