import TransferCommon
import WireProtocol

/// The XML answers of stores, with only the fields that Sluice reads. Every field is an optional text: if a store
/// writes a number or a Boolean in an unusual form, the rest of the answer stays readable.
///
/// Stores disagree about the names of root elements. So a document counts as the expected answer if its root has the
/// usual name or one of the usual fields. Any other document may be the page of a proxy, which must not pass for an
/// empty list. A document `Error` is always a failure.
package enum S3Documents {
    /// The answer to CreateMultipartUpload.
    package struct Created: S3Document {
        let uploadId: String?

        package init?(_ root: XMLElement) {
            guard root.isAnswer("InitiateMultipartUploadResult", with: ["UploadId"]) else { return nil }
            uploadId = root.value(of: "UploadId")
        }
    }

    /// The answer to CompleteMultipartUpload.
    package struct Completed: S3Document {
        let eTag: String?
        let checksumSHA256: String?

        package init?(_ root: XMLElement) {
            guard root.isAnswer("CompleteMultipartUploadResult", with: ["ETag", "Key", "Location"]) else { return nil }
            eTag = root.value(of: "ETag")
            checksumSHA256 = root.value(of: "ChecksumSHA256")
        }
    }

    /// The answer to ListParts.
    package struct Parts: S3Document {
        struct Part {
            let partNumber: String?
            let lastModified: String?
            let eTag: String?
            let size: String?
            let checksumSHA256: String?
        }

        let isTruncated: Bool
        let nextPartNumberMarker: String?
        let parts: [Part]

        package init?(_ root: XMLElement) {
            guard root.isAnswer("ListPartsResult", with: ["UploadId", "Part", "IsTruncated"]) else { return nil }
            isTruncated = root.isTrue("IsTruncated")
            nextPartNumberMarker = root.value(of: "NextPartNumberMarker")
            parts = root.children.filter { $0.name == "Part" }.map { part in
                Part(
                    partNumber: part.value(of: "PartNumber"), lastModified: part.value(of: "LastModified"),
                    eTag: part.value(of: "ETag"), size: part.value(of: "Size"),
                    checksumSHA256: part.value(of: "ChecksumSHA256"))
            }
        }
    }

    /// The answer to ListMultipartUploads.
    package struct Uploads: S3Document {
        struct Upload {
            let key: String?
            let uploadId: String?
            let initiated: String?
        }

        let isTruncated: Bool
        let nextKeyMarker: String?
        let nextUploadIdMarker: String?
        let uploads: [Upload]

        package init?(_ root: XMLElement) {
            guard root.isAnswer("ListMultipartUploadsResult", with: ["Upload", "IsTruncated", "MaxUploads"]) else {
                return nil
            }
            isTruncated = root.isTrue("IsTruncated")
            nextKeyMarker = root.key(of: "NextKeyMarker", in: root)
            nextUploadIdMarker = root.value(of: "NextUploadIdMarker")
            uploads = root.children.filter { $0.name == "Upload" }.map { upload in
                Upload(
                    key: root.key(of: "Key", in: upload), uploadId: upload.value(of: "UploadId"),
                    initiated: upload.value(of: "Initiated"))
            }
        }
    }

    /// The answer to ListObjectsV2.
    package struct Objects: S3Document {
        struct Object {
            let key: String
            let lastModified: String?
            let size: String?
        }

        let isTruncated: Bool
        /// The listed objects whose keys can be read.
        let objects: [Object]

        package init?(_ root: XMLElement) {
            guard root.isAnswer("ListBucketResult", with: ["Contents", "IsTruncated", "KeyCount", "MaxKeys"]) else {
                return nil
            }
            isTruncated = root.isTrue("IsTruncated")
            objects = root.children.filter { $0.name == "Contents" }.compactMap { object in
                root.key(of: "Key", in: object).map { key in
                    Object(key: key, lastModified: object.value(of: "LastModified"), size: object.value(of: "Size"))
                }
            }
        }
    }

    /// An error answer, with any status, including 200.
    package struct Failure {
        package let code: String?
        let message: String?
        let region: String?

        /// - Returns: `nil` if the bytes are not a complete error document. Some services put the element `Error` into
        ///   an element `ErrorResponse`.
        package init?(reading bytes: [UInt8]) {
            guard let root = S3XML.root(of: bytes) else { return nil }
            let error = root.name == "Error" ? root : root.name == "ErrorResponse" ? root.child("Error") : nil
            guard let error else { return nil }
            code = error.value(of: "Code")
            message = error.text(of: "Message")
            region = error.value(of: "Region")
        }
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

/// An XML answer to a request that succeeded.
package protocol S3Document {
    /// - Returns: `nil` if the element has none of the fields of this kind of answer.
    init?(_ root: XMLElement)
}

extension S3Document {
    /// - Returns: `nil` if the bytes are not a complete document of this kind.
    package init?(reading bytes: [UInt8]) {
        guard let root = S3XML.root(of: bytes), root.name != "Error" else { return nil }
        self.init(root)
    }
}

/// Reads and writes the XML of S3.
package enum S3XML {
    /// The root element; `nil` if the bytes are not a complete XML document within the limits.
    static func root(of bytes: [UInt8]) -> XMLElement? {
        // try?: the caller reports an unreadable answer; why it cannot be read would not help the operator.
        try? XMLReader.read(bytes)
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
}

extension XMLElement {
    /// Whether the element is an answer of this kind: it has the usual name, or one of the fields of this kind.
    func isAnswer(_ usualName: String, with fields: [String]) -> Bool {
        name == usualName || children.contains { fields.contains($0.name) }
    }

    func isTrue(_ name: String) -> Bool {
        ["true", "True", "1"].contains(value(of: name))
    }

    /// The key in a child of `element`. White space around a key is part of the key.
    ///
    /// - Returns: `nil` if there is no key, or if this listing encodes its keys and the key is not encoded correctly.
    func key(of name: String, in element: XMLElement) -> String? {
        guard let text = element.text(of: name) else { return nil }
        return value(of: "EncodingType") == "url" ? S3Documents.decoded(text) : text
    }
}
