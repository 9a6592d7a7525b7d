import AsyncHTTPClient
import FoundationEssentials
import TransferCommon

/// The HTTP proxies that the environment names for requests to stores and to the security token service: `HTTPS_PROXY`,
/// `HTTP_PROXY` and `NO_PROXY`, or the same names in lower case, which take precedence as in curl.
///
/// The proxy is asked for a tunnel (CONNECT) for every scheme, so it sees the bytes of requests over HTTPS only in
/// encrypted form. Requests to this machine use no proxy, and neither do those to metadata services and container
/// endpoints, because a proxy on another machine cannot reach them.
package struct ProxySettings: Sendable {
    /// The address of one proxy, and the login for it.
    package struct Proxy: Hashable, Sendable {
        package var host: String
        package var port: Int
        /// User name and password; `nil` if the proxy demands none.
        package var user: String?
        package var password: String?

        /// The proxy as the HTTP client's setting.
        var setting: HTTPClient.Configuration.Proxy {
            let authorization = user.map { HTTPClient.Authorization.basic(username: $0, password: password ?? "") }
            return .server(host: host, port: port, authorization: authorization)
        }
    }

    /// A host, or a group of hosts, that `NO_PROXY` names.
    private enum Exception: Hashable {
        case all
        /// The host itself and all hosts in its domain.
        case domain(String, port: Int?)
        /// All IPv4 addresses whose first `bits` bits are those of the number.
        case network(UInt32, bits: Int)
    }

    private let secure: Proxy?
    private let plain: Proxy?
    private let exceptions: [Exception]

    /// Settings without any proxy.
    package static let none = ProxySettings()

    private init() {
        self.secure = nil
        self.plain = nil
        self.exceptions = []
    }

    package init(environment: AWSEnvironment) throws(S3ConfigurationError) {
        self.secure = try Self.proxy("HTTPS_PROXY", environment)
        self.plain = try Self.proxy("HTTP_PROXY", environment)
        let list = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
        self.exceptions = list.split { $0 == "," || $0.isWhitespace }.compactMap { Self.exception(String($0)) }
    }

    /// The proxy for requests to a server; `nil` if they are sent directly.
    ///
    /// - Parameters:
    ///   - host: the server's host; an IPv6 address may be in brackets.
    ///   - isSecure: whether the requests use HTTPS.
    package func proxy(host: String, port: Int, isSecure: Bool) -> Proxy? {
        let name = host.withoutBrackets.lowercased()
        guard let proxy = isSecure ? secure : plain, !LoopbackAddress.isLoopback(host: name) else { return nil }
        return exceptions.contains { Self.matches($0, name, port) } ? nil : proxy
    }

    // MARK: Reading the variables

    private static func proxy(_ name: String, _ environment: AWSEnvironment) throws(S3ConfigurationError) -> Proxy? {
        guard let text = environment[name.lowercased()] ?? environment[name] else { return nil }
        // The value may contain a password, so the error does not quote it.
        let address = text.contains("://") ? text : "http://\(text)"
        guard let url = URL(string: address, encodingInvalidCharacters: false), let host = url.host(), !host.isEmpty,
            url.path.isEmpty || url.path == "/", url.query == nil
        else { throw S3ConfigurationError("\(name) is not http://[USER:PASSWORD@]HOST[:PORT]") }
        guard url.scheme?.lowercased() == "http" else {
            throw S3ConfigurationError("\(name) names a proxy of another kind than http://")
        }
        return Proxy(
            host: host.withoutBrackets, port: url.port ?? 80,
            user: url.user(percentEncoded: false), password: url.password(percentEncoded: false))
    }

    private static func exception(_ text: String) -> Exception? {
        if text == "*" { return .all }
        if let slash = text.firstIndex(of: "/") {
            guard let address = address(text[..<slash]), let bits = Int(text[text.index(after: slash)...]),
                (0...32).contains(bits)
            else { return nil }
            return .network(address, bits: bits)
        }
        var name = text.lowercased()
        var port: Int?
        // An IPv6 address without brackets contains several colons and no port.
        let end = name.lastIndex(of: "]") ?? name.startIndex
        if let colon = name[end...].lastIndex(of: ":"), name[end...].count(where: { $0 == ":" }) == 1 {
            port = Int(name[name.index(after: colon)...])
            name = String(name[..<colon])
        }
        name = name.withoutBrackets
        if name.hasPrefix("*.") { name.removeFirst() }
        if name.hasPrefix(".") { name.removeFirst() }
        return name.isEmpty ? nil : .domain(name, port: port)
    }

    // MARK: Comparing

    private static func matches(_ exception: Exception, _ host: String, _ port: Int) -> Bool {
        switch exception {
        case .all: true
        case .domain(let name, let wanted):
            (wanted == nil || wanted == port) && (host == name || host.hasSuffix("." + name))
        case .network(let network, let bits):
            address(host[...]).map { bits == 0 || ($0 ^ network) >> UInt32(32 - bits) == 0 } ?? false
        }
    }

    private static func address(_ text: Substring) -> UInt32? {
        let octets = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard octets.count == 4 else { return nil }
        var number: UInt32 = 0
        for octet in octets {
            guard let octet else { return nil }
            number = number << 8 | UInt32(octet)
        }
        return number
    }
}

extension ProxySettings.Proxy: CustomStringConvertible, CustomReflectable {
    /// Shows only host and port, because user name and password are secrets.
    package var description: String { "\(host):\(port)" }
    package var customMirror: Mirror { Mirror(self, children: ["host": host, "port": port]) }
}
