import FoundationEssentials
import TransferCommon

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
        let name = host.withoutBrackets.lowercased()
        return linkHosts.contains(name) || LoopbackAddress.isLoopback(host: name)
    }
}

extension String {
    /// The host without the brackets that a URL has around an IPv6 address.
    var withoutBrackets: String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
    }
}
