package import Cryptography
import TransferCommon
import WireProtocol

/// Signature version 4 as pure functions of a request, following "Signature Calculations for the Authorization Header"
/// in AWS's S3 reference. In S3, unlike in other services, the path is encoded only once and never normalised.
package enum S3Signature {
    /// The signed fields of a request.
    package struct Subject: Sendable {
        package var method: String
        /// The encoded path as sent, beginning with a slash.
        package var path: String
        /// Query parameters before encoding, in any order. A parameter without a value has the value "".
        package var query: [(name: String, value: String)]
        /// All signed headers, in any order and case.
        package var headers: [(name: String, value: String)]
        /// The body's SHA-256 in hexadecimal digits, or one of the words that S3 allows instead, such as
        /// `UNSIGNED-PAYLOAD`.
        package var payload: String

        package init(
            method: String, path: String, query: [(name: String, value: String)],
            headers: [(name: String, value: String)], payload: String
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.payload = payload
        }
    }

    /// The request in a canonical form. The client and the store both compute it, so the signature does not depend on
    /// the order of headers and parameters.
    package static func canonicalRequest(_ subject: Subject) -> String {
        canonicalRequest(subject, canonicalHeaders(subject.headers))
    }

    private static func canonicalRequest(_ subject: Subject, _ headers: [(name: String, value: String)]) -> String {
        var text = "\(subject.method)\n\(subject.path)\n\(canonicalQuery(subject.query))\n"
        for header in headers {
            text += header.name
            text += ":"
            text += header.value
            text += "\n"
        }
        text += "\n"
        appendNames(of: headers, to: &text)
        text += "\n"
        text += subject.payload
        return text
    }

    private static func appendNames(of headers: [(name: String, value: String)], to text: inout String) {
        for (index, header) in headers.enumerated() {
            if index > 0 { text += ";" }
            text += header.name
        }
    }

    /// The text that the key signs.
    ///
    /// - Parameters:
    ///   - timestamp: the value of `x-amz-date`, such as `20130524T000000Z`.
    ///   - scope: the scope of the signing key.
    package static func stringToSign(
        _ canonicalRequest: String, timestamp: String, scope: String
    ) throws(CryptographyError) -> String {
        let digest = try SHA256Digest.of(canonicalRequest.utf8)
        return "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(digest.description)"
    }

    /// The value of the `Authorization` header.
    package static func authorization(
        of subject: Subject, timestamp: String, accessKeyID: String, key: S3SigningKey
    ) throws(CryptographyError) -> String {
        let headers = canonicalHeaders(subject.headers)
        let text = try stringToSign(canonicalRequest(subject, headers), timestamp: timestamp, scope: key.scope)
        var value = "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(key.scope), SignedHeaders="
        appendNames(of: headers, to: &value)
        value += ", Signature="
        value += try key.signature(of: text)
        return value
    }

    /// The encoded query parameters, sorted by their bytes. Each has an equals sign, even if its value is empty.
    package static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        let encoded = query.map { (name: percentEncoded($0.name), value: percentEncoded($0.value)) }
        let ordered = encoded.sorted { left, right in
            left.name == right.name
                ? left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
                : left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
        }
        return ordered.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    /// Encodes every byte except `A-Z a-z 0-9 - . _ ~` as a percent sign and two digits.
    ///
    /// - Parameter keepingSlashes: whether slashes stay unencoded, as in paths.
    package static func percentEncoded(_ text: String, keepingSlashes: Bool = false) -> String {
        func isKept(_ byte: UInt8) -> Bool { isUnreserved(byte) || keepingSlashes && byte == UInt8(ascii: "/") }
        guard !text.utf8.allSatisfy(isKept) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isKept(byte) {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(contentsOf: hexadecimal(CollectionOfOne(byte)).uppercased().utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// The headers in canonical form: names in lower case and sorted, values trimmed and with single spaces, several
    /// values of one name joined by commas.
    private static func canonicalHeaders(
        _ headers: [(name: String, value: String)]
    ) -> [(name: String, value: String)] {
        let named = headers.map { (name: $0.name.lowercased(), value: trimmed($0.value)) }
        // Headers with the same name must keep their order. Compare their indices, because Swift does not promise a
        // stable sort.
        let order = named.indices.sorted { left, right in
            named[left].name == named[right].name
                ? left < right : named[left].name.utf8.lexicographicallyPrecedes(named[right].name.utf8)
        }
        var joined: [(name: String, value: String)] = []
        joined.reserveCapacity(order.count)
        for header in order.map({ named[$0] }) {
            if joined.last?.name == header.name {
                joined[joined.count - 1].value += "," + header.value
            } else {
                joined.append(header)
            }
        }
        return joined
    }

    private static func trimmed(_ value: String) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard value.utf8.contains(where: isSpace) else { return value }
        return value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }
}

/// The key that signs the requests of one day in one region. Computing the key takes four hashes, so the client keeps
/// it for the day.
package struct S3SigningKey: Sendable {
    /// The scope of the key, as signatures name it: `<day>/<region>/<service>/aws4_request`.
    package let scope: String
    private let key: HMACSHA256

    /// - Parameters:
    ///   - day: the first eight digits of `x-amz-date`, such as `20130524`.
    ///   - service: `s3`. Only tests use another service, because AWS's general test vectors do.
    package init(
        secretAccessKey: String, day: String, region: String, service: String = "s3"
    ) throws(CryptographyError) {
        var key = try HMACSHA256(key: Array("AWS4\(secretAccessKey)".utf8))
        for word in [day, region, service, "aws4_request"] {
            key = try HMACSHA256(key: key.code(of: word).bytes)
        }
        self.key = key
        self.scope = "\(day)/\(region)/\(service)/aws4_request"
    }

    /// The signature in hexadecimal digits.
    package func signature(of stringToSign: String) throws(CryptographyError) -> String {
        try key.code(of: stringToSign).description
    }
}

extension S3SigningKey: CustomStringConvertible, CustomReflectable {
    /// Shows only the scope: with the bytes of the key, a reader of a log could sign requests.
    package var description: String { "S3SigningKey(\(scope))" }
    package var customMirror: Mirror { Mirror(self, children: ["scope": scope]) }
}
