import FoundationEssentials

/// The rule for the addresses of servers that issue credentials. The requests carry secrets and the answers are
/// credentials, so they must not cross a network in clear text.
enum CredentialAddress {
    /// The link-local addresses of the credential servers of ECS and EKS. Packets to them do not leave the machine.
    static let containerHosts: Set<String> = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]
    /// The link-local addresses of the instance metadata service.
    static let metadataHosts: Set<String> = ["169.254.169.254", "fd00:ec2::254"]

    /// Whether the address uses HTTPS, or names this machine or one of the given link-local hosts.
    static func isSafe(_ address: String, linkHosts: Set<String> = []) -> Bool {
        // The HTTP client parses URLs with the same parser, so it connects to the host that is checked here.
        guard let url = URL(string: address), let host = url.host(), !host.isEmpty, url.user() == nil else {
            return false
        }
        if url.scheme == "https" { return true }
        guard url.scheme == "http" else { return false }
        let name = host.filter { $0 != "[" && $0 != "]" }.lowercased()
        return linkHosts.contains(name) || isThisMachine(name)
    }

    /// Whether a host name without brackets, in lower case, names this machine.
    static func isThisMachine(_ name: String) -> Bool {
        name == "localhost" || name == "::1" || isLoopback(name)
    }

    /// Whether the name is an IPv4 address that begins with 127. All four numbers are checked, because a host name such
    /// as `127.example.com` also begins with 127.
    private static func isLoopback(_ name: String) -> Bool {
        let octets = name.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127"
            && octets.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isNumber } && UInt8($0) != nil }
    }
}
