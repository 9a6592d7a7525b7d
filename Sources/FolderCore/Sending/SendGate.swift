package import TransferCommon

/// Whether files may be sent as far as the network and the gateway are concerned. One gate serves all items, so that an
/// outage costs one timer and not one for each file.
///
///     from      event                                             to
///     open      a file fails because of the network or gateway    closed
///     closed    its time has come                                 trying
///     closed    a network interface comes up                      trying
///     trying    the next file fails in the same way               closed
///     trying    a file is stored, or fails for its own reason     open
///
/// The gate never gives up. While it is trying, one file is sent at a time.
package struct SendGate: Hashable, Sendable {
    /// The states, as the table above lists them.
    package enum State: Hashable, Sendable {
        case open
        case closed(GateCause, until: Instant)
        case trying(GateCause)
    }

    /// The wait after the gateway has refused the device.
    package static let unauthorisedDelay = Duration.seconds(600)
    /// The wait after another run with the same identity has taken over. Otherwise two runs would take the connection
    /// from one another again and again.
    package static let fencedDelay = Duration.seconds(900)
    /// The wait after a failure that does not pass by itself.
    package static let failingDelay = Duration.seconds(60)
    /// The longest wait after a failure of the network while no interface is up. The report that one is up ends it.
    package static let offlineDelay = Duration.seconds(60)

    package private(set) var state = State.open
    private var failures = 0
    private var isLinkUp = true

    package init() {}

    /// How many files may be sent at once, of at most `limit`.
    package func sendingMax(_ limit: Int) -> Int {
        switch state {
        case .open: limit
        case .closed: 0
        case .trying: min(limit, 1)
        }
    }

    /// Whether nothing is asked of the gateway now.
    package var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// When a closed gate is tried.
    package var nextDeadline: Instant? {
        if case .closed(_, let until) = state { until } else { nil }
    }

    /// Lets a file try a closed gate whose time has come.
    package mutating func tick(now: Instant) {
        guard case .closed(let cause, let until) = state, until <= now else { return }
        state = .trying(cause)
    }

    /// Takes the failure of a file that was not the file's fault. Failures of files that were sent before the gate
    /// closed do not prolong the wait.
    package mutating func failed(
        _ cause: GateCause, policy: RetryPolicy, now: Instant, using generator: inout some RandomNumberGenerator
    ) {
        if case .closed = state { return }
        failures = min(failures + 1, 1_000)
        var delay = policy.delay(afterFailures: failures, .connection, using: &generator)
        switch cause {
        case .network: if !isLinkUp { delay = Self.offlineDelay }
        case .busy(let advice): delay = max(delay, min(advice, RetryPolicy.adviceMax))
        case .unauthorised: delay = Self.unauthorisedDelay
        case .fenced: delay = Self.fencedDelay
        case .failing: delay = max(delay, Self.failingDelay)
        }
        state = .closed(cause, until: now + delay)
    }

    /// Takes an answer of the gateway that shows that it works.
    package mutating func worked() {
        guard case .trying = state else { return }
        failures = 0
        state = .open
    }

    /// Takes the report whether a network interface is up.
    package mutating func link(isUp: Bool) {
        defer { isLinkUp = isUp }
        guard isUp, !isLinkUp, case .closed(.network, _) = state else { return }
        failures = 0
        state = .trying(.network)
    }

    /// Why nothing is sent, for people; `nil` if the gate is open.
    package var reason: String? {
        switch state {
        case .open: nil
        case .closed(let cause, _), .trying(let cause):
            cause == .network && !isLinkUp ? "no network interface is up" : cause.words
        }
    }
}

/// Why the gate is closed.
package enum GateCause: Hashable, Sendable {
    /// The gateway cannot be reached.
    case network
    /// The gateway has asked the agent to wait.
    case busy(retryAfter: Duration)
    /// The gateway does not accept this device.
    case unauthorised
    /// Another run with the same identity is at work, and the gateway serves that one.
    case fenced
    /// Nothing can be stored until a person or another program does something; the reason for people.
    indirect case failing(String)

    /// The reason for people.
    package var words: String {
        switch self {
        case .network: "the gateway cannot be reached"
        case .busy: "the gateway is busy"
        case .unauthorised: "the gateway does not accept this device"
        case .fenced: "another sluice-agent with the same identity is at work; stop one of them"
        case .failing(let reason): reason
        }
    }
}
