package streamproof.analytics;

/** Says why a line is not a row. Bad input is expected and may be frequent, so there is no stack trace. */
final class RejectedException extends Exception {
    private static final long serialVersionUID = 1;

    /** The faulty column, or null. */
    final String column;

    RejectedException(String reason) {
        this(reason, null);
    }

    RejectedException(String reason, String column) {
        super(reason, null, false, false);
        this.column = column;
    }
}
