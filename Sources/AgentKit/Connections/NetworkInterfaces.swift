import NIOCore
package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// By which network interface each connection goes out, where the user names some.
///
/// The system's routes alone would send all of them the same way, whatever else is plugged in. A connection that is
/// bound to an interface stays with it, and fails with it; the others go on.
package struct NetworkInterfaces {
    private let names: [String]
    private var uses: [ConnectionID: String] = [:]

    /// - Parameter names: in the order in which they are taken; empty for no choice.
    package init(_ names: [String]) {
        self.names = names
    }

    /// The one that the fewest connections have, the first of several; `nil` where none is named.
    package mutating func choose(for id: ConnectionID) -> String? {
        let counts = Dictionary(grouping: uses.values, by: \.self).mapValues(\.count)
        // Of equals the first is the least.
        let chosen = names.min { counts[$0, default: 0] < counts[$1, default: 0] }
        uses[id] = chosen
        return chosen
    }

    /// The connection is gone.
    package mutating func free(_ id: ConnectionID) {
        uses[id] = nil
    }

    /// Those that the system does not have now; they may come and go.
    ///
    /// - Throws: where it has none of several: it is likelier that the names are wrong.
    package static func missing(of names: [String]) throws(UploadFailure) -> [String] {
        let missing = names.filter { if_nametoindex($0) == 0 }
        guard missing.isEmpty || missing.count < names.count else {
            throw UploadFailure(
                .unreachable,
                "this machine has no network interface \(names.joined(separator: ", ")); ip link lists its interfaces")
        }
        return missing
    }

    /// Whether an interface may have this name at all: 1 to 15 bytes, without slashes and spaces.
    package static func isName(_ name: String) -> Bool {
        (1..<nameBytes).contains(name.utf8.count)
            && !name.utf8.contains { $0 <= UInt8(ascii: " ") || $0 == UInt8(ascii: "/") || $0 == 0x7F }
    }

    /// Linux: `IFNAMSIZ`, with the zero at the end.
    private static let nameBytes = 16

    /// Binds a channel that is not connected yet; leaves it to the system's routes where no interface is named.
    static func bind(_ channel: any Channel, to name: String?) -> EventLoopFuture<Void> {
        guard let name else { return channel.eventLoop.makeSucceededVoidFuture() }
        guard let options = channel as? any SocketOptionProvider, isName(name) else {
            return channel.eventLoop.makeFailedFuture(
                InterfaceUnusable(name: name, reason: "it is no socket or no interface name"))
        }
        var value: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: name.utf8) }
        return options.unsafeSetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_BINDTODEVICE), value: value
        ).flatMapErrorThrowing { error in
            let number = (error as? IOError)?.errnoCode
            throw InterfaceUnusable(
                name: name,
                reason: number == EPERM
                    ? "before Linux 5.7 this needs CAP_NET_RAW" : number.map(systemMessage) ?? "\(error)")
        }
    }
}

/// A connection cannot go out where it was to.
struct InterfaceUnusable: Error, CustomStringConvertible {
    let name: String
    let reason: String

    var description: String { "connections cannot use the interface \(name): \(reason)" }
}
