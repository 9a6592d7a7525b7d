/// The limits of `StoreBreaker`.
package struct StoreBreakerLimits: Hashable, Sendable {
    /// Lost calls in a row that open the breaker. The store's client has already repeated each call if it could.
    package var lostMax = 3
    /// Refusals in a row that open the breaker: if all are of one device, and if they are of several.
    package var refusalsMax = 3
    package var refusalsMaxOfSeveral = 2
    /// The first wait. Each failed trial doubles it, up to the longest.
    package var waitFirst = Duration.seconds(1)
    /// The first wait for a full store, which rarely has space again within a second and may take most of a part before
    /// it refuses it.
    package var waitFirstWhereFull = Duration.seconds(5)
    package var waitLongest = Duration.seconds(30)
    /// How long a trial without a result keeps other parts out.
    package var trialPatience = Duration.seconds(30)
    /// The most parts at once while the breaker is rising. The next stored part closes it.
    package var partsMaxRising = 8
    /// How long an agent is advised to wait while all parts that are allowed are on their way.
    package var risingAdvice = Duration.milliseconds(200)
    /// What an agent may send of a part before the store has taken some of it, while there is evidence against the
    /// store: a trial of a dead store costs no more than this.
    package var cautiousBytes: UInt64 = 64 << 10
    /// Distance between the retries of agents that were deferred together, and the number of agents up to which it
    /// grows.
    package var spread = Duration.milliseconds(20)
    package var spreadCountMax = 100

    package init() {}

    func waitFirst(_ cause: StoreBreaker.Cause) -> Duration { cause == .full ? waitFirstWhereFull : waitFirst }
}
