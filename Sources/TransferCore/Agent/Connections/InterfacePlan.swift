/// Which network interface a connection uses, if the user names interfaces.
///
/// The system's routes alone would send all connections by the same interface, whatever else is plugged in. A connection
/// keeps its interface and ends with it, while the other connections continue.
package enum InterfacePlan {
    /// The interface of the next connection.
    ///
    /// - Parameters:
    ///   - names: the interfaces in order of preference; empty to follow the system's routes.
    ///   - used: the interfaces of the present connections, one entry for each. A connection that the gateway has asked
    ///     to end does not count, so that its successor gets the same interface.
    /// - Returns: the interface with the fewest connections, the first of several; `nil` if no interface is named.
    package static func choose(among names: [String], used: [String]) -> String? {
        let counts = Dictionary(grouping: used, by: \.self).mapValues(\.count)
        // `min` returns the first of several equal elements.
        return names.min { counts[$0, default: 0] < counts[$1, default: 0] }
    }
}
