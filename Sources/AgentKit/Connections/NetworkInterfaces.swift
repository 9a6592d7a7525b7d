import NIOCore
package import TransferCore

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Checks the names of network interfaces and binds connections to them. `InterfacePlan` decides which connection uses
/// which interface.
package enum NetworkInterfaces {
    /// The named interfaces that do not exist now. An interface may appear and disappear at any time, so a missing one
    /// is no error.
    ///
    /// - Throws: if all named interfaces are missing, because then the names are probably wrong.
    package static func missing(of names: [String]) throws(UploadFailure) -> [String] {
        let missing = names.filter { if_nametoindex($0) == 0 }
        guard missing.isEmpty || missing.count < names.count else {
            throw UploadFailure(
                .unreachable,
                "this machine has no network interface \(names.joined(separator: ", ")); ip link lists its interfaces")
        }
        return missing
    }

    /// Whether this machine has an interface of this name now.
    package static func exists(_ name: String) -> Bool { if_nametoindex(name) != 0 }

    /// Whether this is a valid name of an interface: 1 to 15 bytes, without slashes and spaces.
    package static func isName(_ name: String) -> Bool {
        (1..<nameBytes).contains(name.utf8.count)
            && !name.utf8.contains { $0 <= UInt8(ascii: " ") || $0 == UInt8(ascii: "/") || $0 == 0x7F }
    }

    /// `IFNAMSIZ` of Linux, which includes the final zero.
    private static let nameBytes = 16

    /// Binds a channel to an interface, before the channel connects. Does nothing if `name` is `nil`.
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

/// The error for a network interface that a connection cannot use.
struct InterfaceUnusable: Error, CustomStringConvertible {
    let name: String
    let reason: String

    var description: String { "connections cannot use the interface \(name): \(reason)" }
}
