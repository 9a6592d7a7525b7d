import GatewayKit

extension FuzzTarget {
    /// The header with which a balancer begins a connection. The bytes may arrive in any pieces.
    package static let proxy = FuzzTarget(name: "proxy", inputBytesMax: 1_024) { input in
        let whole = outcome(of: input[...])
        var isDecided = false
        for count in 0...input.count {
            let part = outcome(of: input[..<count])
            isDecided = isDecided || part != .incomplete
            if isDecided { try expect(part == whole, "\(count) bytes and the whole input lead to different outcomes") }
        }
        guard case .header(let header) = whole else { return }
        try expect(header.byteCount <= min(input.count, ProxyHeader.bytesMax), "the header is longer than it may be")
        if case .peer(let address, _) = header.source {
            try expect([4, 16].contains(address.count), "an address of \(address.count) bytes")
        }
    } seeds: { _ in
        let short: [UInt8] = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0x1C, 0xFC]
        let long = [UInt8](repeating: 0x20, count: 36)
        let headers: [String: (UInt8, UInt8, [UInt8])] = [
            "tcp4": (0x21, 0x11, short), "tcp6": (0x21, 0x21, long), "local": (0x20, 0x00, []),
            "unspecified": (0x21, 0x00, [1, 2]), "fields": (0x21, 0x11, short + [4, 0, 1, 9]),
            "short": (0x21, 0x21, short), "udp": (0x21, 0x12, short),
        ]
        return headers.mapValues { command, family, rest in
            signature + [command, family, 0, UInt8(rest.count)] + rest + [0x16, 3, 1]
        }
    }
}

private let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

private enum Outcome: Equatable {
    case incomplete
    case header(ProxyHeader)
    case refused(ProxyHeaderError)
}

private func outcome(of bytes: ArraySlice<UInt8>) -> Outcome {
    do throws(ProxyHeaderError) {
        return try ProxyHeader.read(bytes).map { .header($0) } ?? .incomplete
    } catch {
        return .refused(error)
    }
}
