import TransferCommon
import WireProtocol

/// The address at which a store accepts requests: a fixed host, perhaps with a path, or AWS, where the host name
/// follows from the region.
package struct S3Endpoint: Hashable, Sendable {
    private enum Host: Hashable {
        case fixed(String)
        /// The host `s3.<region>.<suffix>`.
        case aws(suffix: String)
    }

    /// Whether the endpoint uses TLS.
    let isSecure: Bool
    private let host: Host
    /// `nil` for the scheme's default port.
    private let port: UInt16?
    /// The region in the host name; `nil` if the host name contains none.
    package let region: String?
    /// The path that precedes the bucket and the key in every request, as it is sent and signed: empty, or beginning
    /// with a slash and not ending in one.
    package let path: String

    /// The endpoint of AWS in a region.
    package static func aws(region: String) -> S3Endpoint {
        S3Endpoint(isSecure: true, host: .aws(suffix: awsSuffix(of: region)), port: nil, region: nil)
    }

    private init(isSecure: Bool, host: Host, port: UInt16?, region: String?) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.region = region
        self.path = ""
    }

    /// Whether the connection to the endpoint protects the bytes from being altered: the endpoint uses TLS, or it is on
    /// this machine.
    var isProtected: Bool {
        guard !isSecure, case .fixed(let name) = host else { return true }
        return LoopbackAddress.isLoopback(host: name.withoutBrackets)
    }

    /// Parses `http://host:port` or `https://host/path`. Throws if the text also has a query or a user name.
    package init(parsing text: String) throws(S3ConfigurationError) {
        let rest: Substring
        if text.hasPrefix("https://") {
            rest = text.dropFirst("https://".count)
            self.isSecure = true
        } else if text.hasPrefix("http://") {
            rest = text.dropFirst("http://".count)
            self.isSecure = false
        } else {
            throw S3ConfigurationError("the endpoint begins neither with http:// nor with https://")
        }
        let authority = rest.prefix { $0 != "/" }
        guard authority.utf8.allSatisfy({ Self.isHostByte($0) || $0 == UInt8(ascii: ":") }) else {
            throw S3ConfigurationError("the endpoint is more than a host, a port and a path")
        }
        self.path = try Self.path(in: rest.dropFirst(authority.count))
        // Look for the port's colon only after the bracket that ends an IPv6 address: the address itself contains
        // colons.
        let hostEnd = authority.lastIndex(of: "]") ?? authority.startIndex
        let colon = authority[hostEnd...].firstIndex(of: ":")
        let name = String(authority[..<(colon ?? authority.endIndex)]).lowercased()
        guard !name.isEmpty else { throw S3ConfigurationError("the endpoint names no host") }
        if let colon {
            guard let port = UInt16(authority[authority.index(after: colon)...]), port > 0 else {
                throw S3ConfigurationError("the endpoint's port is not a number from 1 to 65535")
            }
            self.port = port
        } else {
            self.port = nil
        }
        if isSecure, port == nil, let (region, suffix) = Self.partsOfAWS(name) {
            guard path.isEmpty else {
                throw S3ConfigurationError("AWS's endpoint has no path; the bucket belongs into --store")
            }
            self.host = .aws(suffix: suffix)
            self.region = region
        } else {
            self.host = .fixed(name)
            self.region = nil
        }
    }

    /// The host name, which does not contain a bucket's name. It depends on the region only if the endpoint is AWS.
    package func hostName(region: String) -> String {
        switch host {
        case .fixed(let name): name
        case .aws(let suffix): "s3.\(region).\(suffix)"
        }
    }

    /// The scheme, the host name of `hostName`, and the port. The scheme's default port is left out, so that each
    /// endpoint has exactly one such text.
    func origin(region: String) -> String {
        let usualPort: UInt16 = isSecure ? 443 : 80
        let port = port.flatMap { $0 == usualPort ? nil : ":\($0)" } ?? ""
        return (isSecure ? "https://" : "http://") + hostName(region: region) + port
    }

    /// Whether requests name the bucket in the host name. With TLS, a bucket whose name contains a dot is named in the
    /// path: a certificate for `*.host` does not cover the host name `first.second.host`.
    func isInHostName(_ bucket: String, _ addressing: S3Addressing) -> Bool {
        addressing == .virtual && !(isSecure && bucket.contains("."))
    }

    /// The address of requests for a bucket.
    func target(bucket: String, addressing: S3Addressing, region: String) -> S3Target {
        let host = hostName(region: region)
        let isVirtual = isInHostName(bucket, addressing)
        let name = isVirtual ? "\(bucket).\(host)" : host
        let authority = name + (port.map { ":\($0)" } ?? "")
        return S3Target(
            origin: (isSecure ? "https://" : "http://") + authority, authority: authority, host: name,
            port: Int(port ?? (isSecure ? 443 : 80)), isSecure: isSecure,
            pathPrefix: path + (isVirtual ? "" : "/" + S3Signature.percentEncoded(bucket)))
    }

    /// Whether the text may be used as a region. Every region, even one that the store names, is checked before it
    /// becomes part of a host name.
    static func isRegion(_ text: String) -> Bool {
        text.utf8.count <= 64 && HostLabel.hasOnlyItsBytes(text)
    }

    /// The suffix of AWS's host names in this region.
    static func awsSuffix(of region: String) -> String {
        region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
    }

    private static func partsOfAWS(_ host: String) -> (region: String?, suffix: String)? {
        for suffix in ["amazonaws.com", "amazonaws.com.cn"] where host.hasSuffix("." + suffix) {
            let labels = host.dropLast(suffix.count + 1).split(separator: ".", omittingEmptySubsequences: false)
            if labels == ["s3"] { return (nil, suffix) }
            if labels.count == 2, labels[0] == "s3", isRegion(String(labels[1])) { return (String(labels[1]), suffix) }
        }
        return nil
    }

    /// The path may have only characters that are the same in encoded form, and no segment that a server would remove,
    /// such as `..`. Otherwise a store could compute the signature over another path.
    private static func path(in text: Substring) throws(S3ConfigurationError) -> String {
        let path = text.hasSuffix("/") ? text.dropLast() : text
        guard !path.isEmpty else { return "" }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = segments.allSatisfy { segment in
            !segment.isEmpty && segment != "." && segment != ".."
                && S3Signature.percentEncoded(String(segment)) == segment
        }
        guard isPlain else {
            throw S3ConfigurationError("the endpoint's path may have only letters, digits and the characters -._~/")
        }
        return String(path)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "["), UInt8(ascii: "]"):
            true
        default: false
        }
    }
}

/// The address of a bucket in requests.
struct S3Target: Hashable {
    /// Scheme, host and port.
    var origin: String
    /// The value of the header `Host`.
    var authority: String
    var host: String
    var port: Int
    var isSecure: Bool
    /// What precedes the key in the path: the endpoint's path, and for path addressing a slash and the bucket's name.
    var pathPrefix: String
}

/// The error for settings of a store that cannot be used. The description is a sentence for the operator.
package struct S3ConfigurationError: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ why: String) {
        self.description = "The S3 store cannot be set up like this: \(why)."
    }
}
